"""The marketplace's own table: what this platform has already accepted from it."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from chalicelib.core.tables import TableMeta, table


class AcceptedIndexRow(Model):
    """The highest sequence accepted under one public key: ``pk`` is ``index#{fingerprint of the key}``. A new key starts anew."""

    class Meta(TableMeta):
        table_name = table("MARKETPLACE_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="accepted")
    sequence = NumberAttribute()
