"""What can be wrong with plugins.

StreamSpaceError
├── PluginNotFound           404   PLUGIN_NOT_FOUND
├── PluginAlreadyInstalled   409   PLUGIN_ALREADY_INSTALLED
├── PluginAlreadyActive      409   PLUGIN_ALREADY_ACTIVE
├── PluginNotActive          409   PLUGIN_NOT_ACTIVE
├── PluginBusy               409   OPERATION_IN_PROGRESS   details.slug
├── PluginUpToDate           409   PLUGIN_UP_TO_DATE
├── PluginIsCore             403   PLUGIN_IS_CORE
├── PluginDenied             403   PLUGIN_DENIED           details.slug, details.reason
├── PluginPinned             409   PLUGIN_PINNED           details.slug, details.pinned_version
├── UpdateNeedsApproval      409   UPDATE_NEEDS_APPROVAL   details.slug, details.reasons
├── PackageInvalid           422   PACKAGE_INVALID         details: field or file -> sentences
├── DependenciesNotMet       422   DEPENDENCIES_NOT_MET    details.missing_dependencies
├── HasDependents            422   HAS_DEPENDENTS          details.dependent_plugins
└── DependencyConflict       422   DEPENDENCY_CONFLICT     details.conflicts
    └── IncompatibleRelease                                details.system_version, details.required_version

Source of the codes: REST, Error Codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.core.errors import Conflict, NotFound, OperationInProgress, PermissionDenied, StreamSpaceError
from chalicelib.runtime.errors import PluginReceivesNothing


class PluginNotFound(NotFound):
    code = "PLUGIN_NOT_FOUND"
    message = "The requested plugin was not found"

    def __init__(self, slug: str) -> None:
        super().__init__(f"The plugin '{slug}' is not installed", slug=slug)


class PluginAlreadyInstalled(Conflict):
    code = "PLUGIN_ALREADY_INSTALLED"
    message = "Plugin is already installed"

    def __init__(self, slug: str) -> None:
        super().__init__(f"The plugin '{slug}' is already installed; update it instead", slug=slug)


class PluginAlreadyActive(Conflict):
    code = "PLUGIN_ALREADY_ACTIVE"
    message = "Plugin is already active"

    def __init__(self, slug: str) -> None:
        super().__init__(f"The plugin '{slug}' is already active", slug=slug)


class PluginUpToDate(Conflict):
    code = "PLUGIN_UP_TO_DATE"
    message = "There is no newer release of this plugin"


class PluginNotActive(PluginReceivesNothing):
    code = "PLUGIN_NOT_ACTIVE"
    message = "Plugin is not active"

    def __init__(self, slug: str, status: str) -> None:
        super().__init__(f"The plugin '{slug}' is not active: its status is {status}", slug=slug, status=status)


class PluginBusy(OperationInProgress):
    message = "Another operation is still working on this plugin"

    def __init__(self, slug: str) -> None:
        super().__init__(f"Another operation is still working on '{slug}'; try again when it is done", slug=slug)


class PluginIsCore(PermissionDenied):
    code = "PLUGIN_IS_CORE"
    message = "Cannot modify core plugin"

    def __init__(self, slug: str) -> None:
        super().__init__(f"'{slug}' is a core plugin: it cannot be deactivated or removed", slug=slug)


class PluginDenied(PermissionDenied):
    code = "PLUGIN_DENIED"
    message = "The administrators' lists do not allow this plugin"

    def __init__(self, slug: str, reason: str) -> None:
        super().__init__(f"{reason}; see the plugin lists", slug=slug, reason=reason)


class PluginPinned(Conflict):
    code = "PLUGIN_PINNED"
    message = "The plugin is pinned to a version"

    def __init__(self, slug: str, pinned_version: str) -> None:
        super().__init__(
            f"'{slug}' is pinned to {pinned_version}; change its update policy to install another version",
            slug=slug,
            pinned_version=pinned_version,
        )


class UpdateNeedsApproval(Conflict):
    """An update that was to install by itself is more than the index said: it asks for something that a person has to agree to."""

    code = "UPDATE_NEEDS_APPROVAL"
    message = "The update asks for more than what is installed, and was not asked for by a person"

    def __init__(self, slug: str, reasons: Mapping[str, object]) -> None:
        super().__init__(f"The update of '{slug}' must be looked at first: {', '.join(reasons)}", slug=slug, reasons=dict(reasons))


class PackageInvalid(StreamSpaceError):
    """``details`` maps each faulty field (dotted path) or file to its sentences."""

    code, status = "PACKAGE_INVALID", 422
    message = "The plugin package is not valid"

    def __init__(self, faults: Mapping[str, list[str]]) -> None:
        field, sentences = next(iter(faults.items()))
        more = sum(len(each) for each in faults.values()) - 1
        super().__init__(f"{type(self).message}: {field}: {sentences[0]}" + (f" (and {more} more)" if more else ""))
        self.details = {name: list(each) for name, each in faults.items()}


class DependenciesNotMet(StreamSpaceError):
    code, status = "DEPENDENCIES_NOT_MET", 422
    message = "Cannot activate plugin: dependencies not satisfied"

    def __init__(self, missing: Iterable[Mapping[str, str]], message: str | None = None) -> None:
        super().__init__(message, missing_dependencies=[dict(one) for one in missing])


class HasDependents(StreamSpaceError):
    code, status = "HAS_DEPENDENTS", 422
    message = "Cannot deactivate: other plugins depend on this plugin"

    def __init__(self, dependents: Iterable[Mapping[str, str]], message: str | None = None) -> None:
        super().__init__(message, dependent_plugins=[dict(one) for one in dependents])


class DependencyConflict(StreamSpaceError):
    """``details.conflicts``: who wants which plugin, in which range."""

    code, status = "DEPENDENCY_CONFLICT", 422
    message = "The plugins' dependencies contradict each other"


class IncompatibleRelease(DependencyConflict):
    """The plugin asks for another version of the platform."""

    message = "The plugin does not fit this version of StreamSpace"

    def __init__(self, title: str, required_version: str, system_version: str) -> None:
        super().__init__(
            f"{title} asks for StreamSpace {required_version}; this is {system_version}",
            required_version=required_version,
            system_version=system_version,
        )
