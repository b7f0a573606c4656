"""The local stack: everything that StreamSpace needs from AWS and Kubernetes, on one machine."""
