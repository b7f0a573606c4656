<<<<<<< HEAD
"""Domain values as the documented JSON: pure functions, one module for each resource."""
=======
"""Domain values as the documented JSON: pure functions, one module per resource."""
>>>>>>> accounts
