"""The marketplace's own table: what this platform has already accepted from it."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core.tables import Row, TableMeta, table


class AcceptedIndexRow(Row):
    """The highest sequence accepted under one public key: ``pk`` is ``index#{fingerprint of the key}``. A new key starts anew."""

    class Meta(TableMeta):
        table_name = table("MARKETPLACE_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="accepted")
    sequence = NumberAttribute()
