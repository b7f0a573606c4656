"""What every part of the platform stands on: errors, time, ids, configuration, the doors to AWS. Imports no sibling."""
