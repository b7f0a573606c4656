"""The licences table: which installation this is, and which seats are to be given back. A plugin's licence is kept with the plugin."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core.tables import Row, TableMeta, table


class InstallationRow(Row):
    """``pk`` INSTALLATION: the id under which this platform takes seats."""

    class Meta(TableMeta):
        table_name = table("LICENSES_TABLE")

    pk = UnicodeAttribute(hash_key=True, default="INSTALLATION")
    sk = UnicodeAttribute(range_key=True, default="id")
    id = UnicodeAttribute()


class ReturnRow(Row):
    """``pk`` RETURNS, ``sk`` {slug}#{fingerprint}: a seat that is to be given back from ``due_at`` (seconds since the epoch) on."""

    class Meta(TableMeta):
        table_name = table("LICENSES_TABLE")

    pk = UnicodeAttribute(hash_key=True, default="RETURNS")
    sk = UnicodeAttribute(range_key=True)
    ciphertext = UnicodeAttribute()
    masked = UnicodeAttribute()
    due_at = NumberAttribute()
    expires_at = NumberAttribute()
