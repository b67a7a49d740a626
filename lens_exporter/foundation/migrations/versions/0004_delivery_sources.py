"""Which alerts a delivery explains: a row for each, by which they are found, where there was JSON to be searched."""

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    sources = op.create_table(
        "delivery_sources",
        sa.Column("investigation", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("investigation", "target", "fingerprint", name="pk_delivery_sources"),
    )
    op.create_index("ix_delivery_sources_fingerprint", "delivery_sources", ["fingerprint"], unique=False)
    op.bulk_insert(sources, _kept())
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("sources")


def _kept() -> list[dict[str, Any]]:
    deliveries = sa.table("deliveries", sa.column("investigation"), sa.column("target"), sa.column("sources"))
    return [
        {"investigation": row.investigation, "target": row.target, "fingerprint": fingerprint, "ended_at": ended_at}
        for row in op.get_bind().execute(sa.select(deliveries))
        for fingerprint, ended_at in orjson.loads(row.sources).items()
    ]
