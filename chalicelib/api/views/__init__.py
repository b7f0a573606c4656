"""Domain values as the documented JSON: pure functions, one module for each resource."""
