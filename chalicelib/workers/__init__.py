"""The Lambda functions beside the API: each turns AWS's event into calls of the domain, and nothing more."""
