"""The plugins table: the installed plugins, all in one partition, so that listing them is one query; and the settings of each."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core.tables import Row, TableMeta, table
from chalicelib.events import EventSourced

INSTALLED = "plugins"


class PluginRow(EventSourced, Row):
    """An installed plugin: ``pk`` is ``plugins``, ``sk`` its slug."""

    class Meta(TableMeta):
        table_name = table("PLUGINS_TABLE")

    pk = UnicodeAttribute(hash_key=True, default=INSTALLED)
    sk = UnicodeAttribute(range_key=True)
    event_sequence = NumberAttribute(default=0)
    event_tally = UnicodeAttribute(null=True)
    id = NumberAttribute()
    version = UnicodeAttribute()
    status = UnicodeAttribute()
    error = UnicodeAttribute(null=True)
    error_reason = UnicodeAttribute(null=True)
    # JSON text, at most 300 KB (manifest.LARGEST_BYTES): a few KB in practice, so a page of 1 MB holds hundreds.
    manifest = UnicodeAttribute()
    package_sha256 = UnicodeAttribute()
    # The public key of who signed the release that is installed; nobody, where it was uploaded or is unsigned.
    publisher = UnicodeAttribute(null=True)
    settings_version = NumberAttribute(default=1)
    installed_at = UnicodeAttribute()
    activated_at = UnicodeAttribute(null=True)
    deactivated_at = UnicodeAttribute(null=True)
    updated_at = UnicodeAttribute(null=True)
    # What the latest check for updates found.
    latest_version = UnicodeAttribute(null=True)
    # JSON text: the release of that version, as far as it concerns the installed one.
    update_found = UnicodeAttribute(null=True)
    # JSON text: its licence, with the key encrypted. Here, so that lists need not look anywhere else.
    license = UnicodeAttribute(null=True)

    @property
    def aggregate(self) -> str:
        return f"plugin#{self.sk}"


class SettingsRow(Row):
    """What an administrator set for a plugin: ``pk`` is ``settings#{slug}``. Outlives the plugin only where its data is kept."""

    class Meta(TableMeta):
        table_name = table("PLUGINS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="values")
    # JSON texts: key -> value, and key -> base64 of what KMS made of the value.
    plain = UnicodeAttribute(default="{}")
    secret = UnicodeAttribute(default="{}")


def settings_key(slug: str) -> str:
    return f"settings#{slug}"
