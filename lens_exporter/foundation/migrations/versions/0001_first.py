"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("alertmanager", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=True),
        sa.Column("accepted_at", sa.Float(), nullable=True),
        sa.Column("tried_at", sa.Float(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "alertmanager", name="pk_alert_deliveries"),
    )
    op.create_table(
        "alerts",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.String(length=64), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.Column("annotations", sa.LargeBinary(), nullable=False),
        sa.Column("enrichment", sa.LargeBinary(), nullable=False),
        sa.Column("starts_at", sa.Float(), nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=True),
        sa.Column("resolved_at", sa.Float(), nullable=True),
        sa.Column("generator_url", sa.Text(), nullable=False),
        sa.Column("correlation", sa.String(length=26), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_alerts"),
    )
    op.create_index("ix_alerts_asked", "alerts", ["asked"], unique=False)
    op.create_index("ix_alerts_resolved_at", "alerts", ["resolved_at"], unique=False)
    op.create_table(
        "cooldowns",
        sa.Column("watcher", sa.String(length=255), nullable=False),
        sa.Column("category", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("admitted_at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("watcher", "category", "target", name="pk_cooldowns"),
    )
    op.create_table(
        "deliveries",
        sa.Column("investigation", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("correlation", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("sources", sa.LargeBinary(), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("investigation", "target", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_state", "deliveries", ["state"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("correlation", sa.String(length=26), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_at", "events", ["at"], unique=False)
    op.create_index("ix_events_correlation_id", "events", ["correlation", "id"], unique=False)
    op.create_index("ix_events_type_id", "events", ["type", "id"], unique=False)
    op.create_table(
        "intake_alerts",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("starts_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("investigation", sa.String(length=26), nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=True),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "starts_ms", name="pk_intake_alerts"),
    )
    op.create_index("ix_intake_alerts_investigation", "intake_alerts", ["investigation"], unique=False)
    op.create_index(
        "ix_intake_alerts_untold",
        "intake_alerts",
        ["investigation", "ends_at"],
        unique=False,
        sqlite_where=sa.text("told = false AND ends_at IS NOT NULL"),
        postgresql_where=sa.text("told = false AND ends_at IS NOT NULL"),
    )
    op.create_table(
        "investigations",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("correlation", sa.String(length=26), nullable=False),
        sa.Column("group_key", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column("alertname", sa.String(length=255), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("alert_group", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_investigations"),
    )
    op.create_index("ix_investigations_correlation", "investigations", ["correlation"], unique=False)
    op.create_index("ix_investigations_group_key", "investigations", ["group_key"], unique=False)
    op.create_index("ix_investigations_state_due", "investigations", ["state", "due"], unique=False)
    op.create_index(
        "uq_investigations_waiting_group",
        "investigations",
        ["group_key"],
        unique=True,
        sqlite_where=sa.text("state IN ('held', 'queued')"),
        postgresql_where=sa.text("state IN ('held', 'queued')"),
    )
    op.create_table(
        "llm_budget",
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("dollars", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_llm_budget"),
    )
    op.create_table(
        "watcher_notes",
        sa.Column("watcher", sa.String(length=255), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("watcher", name="pk_watcher_notes"),
    )
