"""``streamspace``, the command line: a client of the REST API, and the tools that make and publish packages."""
