export default function Stars() { return null; }
