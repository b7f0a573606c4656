"""Builds and deploys the platform: what it is made of is in ``template.yaml``."""
