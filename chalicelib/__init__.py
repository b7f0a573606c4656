"""The platform: everything that runs on Lambda, one package per part of the domain."""
