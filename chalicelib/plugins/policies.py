"""What administrators decided of updates and of what may be installed, and what they were told: kept in one partition, read by one Query.

| pk | sk | what |
| --- | --- | --- |
| UPDATES | DEFAULT | the platform's default policy |
| UPDATES | LISTS | which plugins and publishers are allowed and denied |
| UPDATES | CHECK | when the marketplace was asked last, and how that went |
| UPDATES | PLUGIN#{slug} | a plugin's own policy; of which release the administrators were told; which one was tried by itself |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from chalicelib import messaging
from chalicelib.core import clock, log
from chalicelib.core.tables import Row, TableMeta, table
from chalicelib.events import Actor, UnitOfWork, retried, unit_of_work
from chalicelib.plugins import registry
from chalicelib.plugins.plugin_lists import PluginLists
from chalicelib.plugins.registry import InstalledPlugin
from chalicelib.plugins.update_policy import DefaultPolicy, UpdatePolicy

_UPDATES, _DEFAULT, _LISTS, _CHECK, _PLUGIN = "UPDATES", "DEFAULT", "LISTS", "CHECK", "PLUGIN#"


class PolicyRow(Row):
    class Meta(TableMeta):
        table_name = table("PLUGINS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default=_UPDATES)
    sk = UnicodeAttribute(range_key=True)
    # A JSON text: the policy, the lists, or what the check said.
    body = UnicodeAttribute(null=True)
    # Of the lists: grows with each change.
    version = NumberAttribute(null=True)
    # Of the default and the lists: who changed them last, and when.
    changed_by = UnicodeAttribute(null=True)
    changed_at = UnicodeAttribute(null=True)
    # Of a plugin: the newest release that the administrators were told of.
    told_version = UnicodeAttribute(null=True)
    # Whether the marketplace had it when it was asked last, as far as the administrators were told.
    is_listed = BooleanAttribute(null=True)
    # The release that was installed by itself, or was to be; its job; and whether they were told how that ended.
    tried_version = UnicodeAttribute(null=True)
    tried_job = UnicodeAttribute(null=True)
    is_settled = BooleanAttribute(null=True)


@dataclass(frozen=True)
class Known:
    """What was told and done about a plugin's releases."""

    told_version: str | None = None
    is_listed: bool | None = None
    tried_version: str | None = None
    tried_job: str | None = None
    is_settled: bool = False


@dataclass(frozen=True)
class Change:
    """When something was changed last, and by whom; both None where nobody ever did."""

    changed_at: str | None = None
    changed_by: str | None = None


@dataclass(frozen=True)
class Policies:
    default: DefaultPolicy = field(default_factory=DefaultPolicy)
    lists: PluginLists = field(default_factory=PluginLists)
    lists_version: int = 0
    default_changed: Change = field(default_factory=Change)
    lists_changed: Change = field(default_factory=Change)
    last_check: dict[str, Any] | None = None
    own: Mapping[str, UpdatePolicy] = field(default_factory=dict)
    known: Mapping[str, Known] = field(default_factory=dict)

    def of(self, slug: str) -> UpdatePolicy:
        return self.own.get(slug, UpdatePolicy())

    def known_of(self, slug: str) -> Known:
        return self.known.get(slug, Known())


def current() -> Policies:
    """All that was decided and told. One Query for each megabyte: some hundred bytes a plugin."""
    default, lists, version, check = DefaultPolicy(), PluginLists(), 0, None
    default_changed = lists_changed = Change()
    own: dict[str, UpdatePolicy] = {}
    known: dict[str, Known] = {}
    for row in PolicyRow.query(_UPDATES, consistent_read=True):
        body: Any = json.loads(row.body) if row.body else None
        if row.sk.startswith(_PLUGIN):
            slug = row.sk.removeprefix(_PLUGIN)
            known[slug] = Known(row.told_version, row.is_listed, row.tried_version, row.tried_job, bool(row.is_settled))
            if body is not None:
                own[slug] = UpdatePolicy.of(body)
        elif row.sk == _DEFAULT:
            default, default_changed = DefaultPolicy(**body), Change(row.changed_at, row.changed_by)
        elif row.sk == _LISTS:
            lists, version, lists_changed = PluginLists.of(body), int(row.version), Change(row.changed_at, row.changed_by)
        elif row.sk == _CHECK:
            check = body
    return Policies(default, lists, version, default_changed, lists_changed, check, own, known)


def of(slug: str) -> UpdatePolicy:
    """One plugin's own policy. One GetItem."""
    body = _body(f"{_PLUGIN}{slug}")
    return UpdatePolicy.of(body) if body else UpdatePolicy()


def default() -> DefaultPolicy:
    """One GetItem."""
    body = _body(_DEFAULT)
    return DefaultPolicy(**body) if body else DefaultPolicy()


def lists() -> PluginLists:
    """One GetItem."""
    body = _body(_LISTS)
    return PluginLists.of(body) if body else PluginLists()


@retried
def change(slug: str, policy: UpdatePolicy, *, by: Actor) -> None:
    """The whole of it: what is left out is the default again. The plugin's log says who changed what. Raises PluginNotFound."""
    plugin, before = registry.get(slug), of(slug).as_json()
    after = policy.as_json()
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return
    with unit_of_work(by) as work:
        row = registry.save(work, plugin)
        work.update(plugin_row(slug), [PolicyRow.body.set(json.dumps(after))])
        work.emit("plugin.update_policy_changed", row, {"plugin": plugin.summary(), "changed": changed})


def change_default(policy: DefaultPolicy, *, by: Actor) -> Change:
    """The row says who changed it last; the platform's log also what was there before."""
    change = _change(by)
    row = PolicyRow(_UPDATES, _DEFAULT, body=json.dumps(asdict(policy)), **asdict(change))
    log.logger().info("update policy changed", extra={"by": by.id, "before": asdict(default()), "after": asdict(policy)})
    row.save()
    return change


def _change(by: Actor) -> Change:
    return Change(clock.rfc3339(clock.now()), by.id)


@retried
def change_lists(lists: PluginLists, *, by: Actor) -> tuple[list[InstalledPlugin], Change]:
    """From now on these hold; gives what is installed and now denied, which stays until somebody deactivates or removes it, and the
    change.

    To take people's plugins away without a word would do more harm than a list is for. Administrators are told of those that were not
    denied before, in the transaction that changes the lists.
    """
    before, change = current(), _change(by)
    denied = [one for one in registry.all_installed() if lists.why_not_installed(one) is not None]
    newly = [one for one in denied if before.lists.why_not_installed(one) is None]
    unchanged = PolicyRow.version == before.lists_version if before.lists_version else PolicyRow.pk.does_not_exist()
    with unit_of_work() as work:
        row = PolicyRow(_UPDATES, _LISTS, body=json.dumps(lists.as_json()), version=before.lists_version + 1, **asdict(change))
        work.save(row, unchanged)
        if newly:
            names = ", ".join(f"{one.name} ({one.status})" for one in newly[:20])
            messaging.notify(
                messaging.ADMINS,
                "Installed plugins are denied now",
                f"The lists of plugins and publishers deny what is installed: {names}"
                + (f" and {len(newly) - 20} more" if len(newly) > 20 else "")
                + ". They go on as they are; once deactivated, they cannot be activated again.",
                type="warning",
                actions=[{"label": "Show", "url": "/plugins"}],
                work=work,
            )
    log.logger().info("plugin lists changed", extra={"by": by.id, "before": before.lists.as_json(), "after": lists.as_json()})
    return denied, change


def note_check(*, found: int | None, reason: str | None = None) -> None:
    """How asking the marketplace went: how many updates there are, or why that is not known. What was found before stays known."""
    now = clock.rfc3339(clock.now())
    before = _body(_CHECK) or {}
    succeeded_at = now if reason is None else before.get("succeeded_at")
    body = {"checked_at": now, "succeeded_at": succeeded_at, "updates_available": found, "error": reason}
    PolicyRow(_UPDATES, _CHECK).update(actions=[PolicyRow.body.set(json.dumps(body))])


def plugin_row(slug: str) -> PolicyRow:
    """For writes that know their condition."""
    return PolicyRow(_UPDATES, f"{_PLUGIN}{slug}")


def note_told(work: UnitOfWork, slug: str, version: str, *, before: str | None) -> None:
    """With the transaction that tells of the release. The commit raises ConcurrentChange where somebody told of another one since."""
    unchanged = PolicyRow.told_version == before if before else PolicyRow.told_version.does_not_exist()
    work.update(plugin_row(slug), [PolicyRow.told_version.set(version)], unchanged)


def note_listed(slug: str) -> None:
    plugin_row(slug).update(actions=[PolicyRow.is_listed.set(True)])


def note_left(work: UnitOfWork, slug: str) -> None:
    """With the transaction that tells of it. The commit raises ConcurrentChange where that was told."""
    work.update(plugin_row(slug), [PolicyRow.is_listed.set(False)], PolicyRow.is_listed == True)  # noqa: E712 pynamodb's condition


def claim_try(work: UnitOfWork, slug: str, version: str, job_id: str) -> None:
    """With the transaction that begins the job: so there is one job for each release, whoever asks, and however often. The commit raises
    ConcurrentChange where there is one already."""
    unclaimed = PolicyRow.tried_version.does_not_exist() | (PolicyRow.tried_version != version)
    actions = [PolicyRow.tried_version.set(version), PolicyRow.tried_job.set(job_id), PolicyRow.is_settled.set(False)]
    work.update(plugin_row(slug), list(actions), unclaimed)


def settle_try(work: UnitOfWork, slug: str, job_id: str) -> None:
    """With the transaction that tells how it ended. The commit raises ConcurrentChange where that was told."""
    untold = (PolicyRow.tried_job == job_id) & (PolicyRow.is_settled == False)  # noqa: E712 pynamodb's condition
    work.update(plugin_row(slug), [PolicyRow.is_settled.set(True)], untold)


def forget(slug: str) -> None:
    """Nothing there is fine."""
    plugin_row(slug).delete()


def _body(sk: str) -> Any:
    try:
        row = PolicyRow.get(_UPDATES, sk, consistent_read=True)
    except PolicyRow.DoesNotExist:
        return None
    return json.loads(row.body) if row.body else None
