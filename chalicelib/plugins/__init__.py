"""Plugins as the administrator knows them: manifest, package, settings, dependencies, and which are installed.

Promises
    A package is refused, with the reason and before anything is made, unless it is what it claims to be.
    An installed plugin's status, its settings and the events about them change together or not at all.
    A secret setting is encrypted from the moment that it is stored, and no answer of the API ever shows it again.
    A plugin that takes no event any more is set aside, once, with its events kept (``circuit``).
    One operation at a time works on a plugin (``locks``).
    In safe mode everything that is not core is off, from one transaction on until another (``safe_mode``).
    What administrators decided of updates, plugins and publishers holds for whatever is installed, updated or activated (``policies``).
    A plugin that needs a licence is active only while it has a good one (``licenses``).
    What browsers get of a plugin's files is what its package publishes, and nothing else (``assets``).
    A plan to install holds every dependency in a version that suits everybody who asked, or says who asked for what.
"""

from chalicelib.plugins import assets, licenses, locks, policies, safe_mode, updates
from chalicelib.plugins.circuit import set_aside_failing
from chalicelib.plugins.declarations import scopes as scopes_of
from chalicelib.plugins.dependencies import (
    Plan,
    dependents_of,
    installed_among,
    refuse_while_needed,
    require_active,
    require_system,
    resolve,
    status_of,
    tree,
)
from chalicelib.plugins.errors import (
    DependenciesNotMet,
    DependencyConflict,
    HasDependents,
    IncompatibleRelease,
    PackageInvalid,
    PluginAlreadyActive,
    PluginAlreadyInstalled,
    PluginBusy,
    PluginDenied,
    PluginIsCore,
    PluginNotActive,
    PluginNotFound,
    PluginPinned,
    PluginUpToDate,
    UpdateNeedsApproval,
)
from chalicelib.plugins.lifecycle import NewVersion, activate, deactivate, fall_back, hold, resume, switch_off, switch_on, update
from chalicelib.plugins.limits import apply as apply_limits
from chalicelib.plugins.limits import change as change_limits
from chalicelib.plugins.limits import current as current_limits
from chalicelib.plugins.loops import tell_of_loops
from chalicelib.plugins.manifest import Manifest
from chalicelib.plugins.manifest import parse as parse_manifest
from chalicelib.plugins.manifest import schema as manifest_schema
from chalicelib.plugins.migrations import schema as migration_schema
from chalicelib.plugins.package import LARGEST_ARCHIVE_BYTES as LARGEST_PACKAGE_BYTES
from chalicelib.plugins.package import Package, code_bundle
from chalicelib.plugins.package import read as read_package
from chalicelib.plugins.plugin_lists import PluginLists
from chalicelib.plugins.policies import Change
from chalicelib.plugins.refreshing import refresh_functions
from chalicelib.plugins.registry import (
    InstalledPlugin,
    add,
    all_installed,
    find,
    get,
    note_latest_version,
    refuse_installed,
    remove,
    save,
)
from chalicelib.plugins.settings import change as change_settings
from chalicelib.plugins.settings import current as current_settings
from chalicelib.plugins.settings import current_of as current_settings_of
from chalicelib.plugins.settings import exported as stored_settings
from chalicelib.plugins.settings import forget_settings, secret_keys, secret_values
from chalicelib.plugins.settings import restore as restore_settings
from chalicelib.plugins.settings import shown as shown_settings
from chalicelib.plugins.update_policy import (
    AUTOMATIC,
    LONGEST_WAIT_HOURS,
    MOST_SKIPPED,
    DefaultPolicy,
    UpdatePolicy,
    reasons_in_package,
)
from chalicelib.plugins.update_policy import newer as newer_releases

__all__ = [
    "AUTOMATIC",
    "LARGEST_PACKAGE_BYTES",
    "LONGEST_WAIT_HOURS",
    "MOST_SKIPPED",
    "Change",
    "DefaultPolicy",
    "DependenciesNotMet",
    "DependencyConflict",
    "HasDependents",
    "IncompatibleRelease",
    "InstalledPlugin",
    "Manifest",
    "NewVersion",
    "Package",
    "PackageInvalid",
    "Plan",
    "PluginAlreadyActive",
    "PluginAlreadyInstalled",
    "PluginBusy",
    "PluginDenied",
    "PluginIsCore",
    "PluginLists",
    "PluginNotActive",
    "PluginNotFound",
    "PluginPinned",
    "PluginUpToDate",
    "UpdateNeedsApproval",
    "UpdatePolicy",
    "activate",
    "add",
    "all_installed",
    "apply_limits",
    "assets",
    "change_limits",
    "change_settings",
    "code_bundle",
    "current_limits",
    "current_settings",
    "current_settings_of",
    "deactivate",
    "dependents_of",
    "fall_back",
    "find",
    "forget_settings",
    "get",
    "hold",
    "installed_among",
    "licenses",
    "locks",
    "manifest_schema",
    "migration_schema",
    "newer_releases",
    "note_latest_version",
    "parse_manifest",
    "policies",
    "read_package",
    "reasons_in_package",
    "refresh_functions",
    "refuse_installed",
    "refuse_while_needed",
    "remove",
    "require_active",
    "require_system",
    "resolve",
    "restore_settings",
    "resume",
    "safe_mode",
    "save",
    "scopes_of",
    "secret_keys",
    "secret_values",
    "set_aside_failing",
    "shown_settings",
    "status_of",
    "stored_settings",
    "switch_off",
    "switch_on",
    "tell_of_loops",
    "tree",
    "update",
    "updates",
]
