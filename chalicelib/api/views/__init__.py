"""Domain values as the documented JSON: pure functions, one module per resource."""
