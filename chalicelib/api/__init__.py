"""The HTTP edge: one module per resource, and ``http.py``, the one place for sign-in, permission, validation, envelope and errors."""
