"""Plugins as the administrator knows them: manifest, package, settings, dependencies, and which are installed.

Promises
    A package is refused, with the reason and before anything is made, unless it is what it claims to be.
    An installed plugin's status, its settings and the events about them change together or not at all.
    A secret setting is encrypted from the moment that it is stored, and no answer of the API ever shows it again.
    A plan to install holds every dependency in a version that suits everybody who asked, or says who asked for what.
"""

from chalicelib.plugins import dependencies, lifecycle, manifest, package, registry, settings
from chalicelib.plugins.errors import (
    DependenciesNotMet,
    DependencyConflict,
    HasDependents,
    IncompatibleRelease,
    PackageInvalid,
    PluginAlreadyActive,
    PluginAlreadyInstalled,
    PluginIsCore,
    PluginNotActive,
    PluginNotFound,
)
from chalicelib.plugins.manifest import Manifest
from chalicelib.plugins.package import Package
from chalicelib.plugins.registry import InstalledPlugin

__all__ = [
    "DependenciesNotMet",
    "DependencyConflict",
    "HasDependents",
    "IncompatibleRelease",
    "InstalledPlugin",
    "Manifest",
    "Package",
    "PackageInvalid",
    "PluginAlreadyActive",
    "PluginAlreadyInstalled",
    "PluginIsCore",
    "PluginNotActive",
    "PluginNotFound",
    "dependencies",
    "lifecycle",
    "manifest",
    "package",
    "registry",
    "settings",
]
