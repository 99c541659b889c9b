"""first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "aggregate_mark",
        sa.Column("aggregate", sa.Text(), nullable=False),
        sa.Column("aggseq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("aggregate", name=op.f("pk_aggregate_mark")),
    )
    op.create_table(
        "alarm",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("text_zh", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("incident", sa.String(length=26), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=128), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ring_step", sa.Integer(), nullable=True),
        sa.Column("rings", sa.Integer(), nullable=False),
        sa.Column("ring_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shelved_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shelved_by", sa.String(length=128), nullable=True),
        sa.Column("shelved_why", sa.Text(), nullable=False),
        sa.Column("flapping", sa.Boolean(), nullable=False),
        sa.Column("quiet_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alarm_key"), ["key"], unique=False)
        batch_op.create_index(batch_op.f("ix_alarm_raised_at"), ["raised_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_alarm_state"), ["state"], unique=False)

    op.create_table(
        "applications",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("display_name", sa.String(length=100), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_applications")),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_action"), ["action"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_principal"), ["principal"], unique=False)

    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "broker_credentials",
        sa.Column("application", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("iterations", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("application", name=op.f("pk_broker_credentials")),
    )
    op.create_table(
        "commands",
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("command_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("incident", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("reply_topic", sa.String(length=256), nullable=False),
        sa.Column("reply_correlation", sa.LargeBinary(), nullable=True),
        sa.Column("answer_pending", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "command_id", name=op.f("pk_commands")),
    )
    with op.batch_alter_table("commands", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_commands_answer_pending"), ["answer_pending"], unique=False)
        batch_op.create_index("ix_commands_state_finished_at", ["state", "finished_at"], unique=False)

    op.create_table(
        "dir_changes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("contact_id", sa.String(length=26), nullable=True),
        sa.Column("unit", sa.String(length=200), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_dir_changes")),
    )
    with op.batch_alter_table("dir_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dir_changes_contact_id"), ["contact_id"], unique=False)

    op.create_table(
        "dir_contacts",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("unit", sa.String(length=200), nullable=False),
        sa.Column("parent_unit", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("post", sa.String(length=200), nullable=False),
        sa.Column("fax", sa.JSON(), nullable=False),
        sa.Column("radio", sa.JSON(), nullable=False),
        sa.Column("email", sa.JSON(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dir_contacts")),
        sa.UniqueConstraint("unit", "name", "post", name=op.f("uq_dir_contacts_unit_name_post")),
    )
    op.create_table(
        "dir_units",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("parent", sa.String(length=200), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_dir_units")),
    )
    op.create_table(
        "dir_uses",
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("contact_id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "contact_id", name=op.f("pk_dir_uses")),
    )
    op.create_table(
        "document",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("media_type", sa.String(length=128), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("aggregate", sa.String(length=128), nullable=True),
        sa.Column("incident", sa.String(length=26), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
    )
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_document_aggregate"), ["aggregate"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_incident"), ["incident"], unique=False)

    op.create_table(
        "document_hold",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.String(length=128), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(length=128), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_hold")),
    )
    op.create_table(
        "document_removal",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_document_removal")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(length=128), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("number", name=op.f("uq_incident_number")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_opened_at"), ["opened_at"], unique=False)

    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("domain", sa.String(length=16), nullable=False),
        sa.Column("resource", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("aggregate", sa.Text(), nullable=False),
        sa.Column("aggseq", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("incident", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_journal")),
    )
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_journal_aggregate_aggseq"), ["aggregate", "aggseq"], unique=True)
        batch_op.create_index(
            batch_op.f("ix_journal_incident_seq"),
            ["incident", "seq"],
            unique=False,
            sqlite_where=sa.text("incident IS NOT NULL"),
            postgresql_where=sa.text("incident IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_journal_type_time"), ["type", "time"], unique=False)

    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "operators",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("display_name", sa.String(length=100), nullable=False),
        sa.Column("password", sa.String(length=300), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_operators")),
    )
    op.create_table(
        "quarantine",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("reason_code", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "release",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("exercise", sa.Boolean(), nullable=False),
        sa.Column("incident", sa.String(length=26), nullable=True),
        sa.Column("steps", sa.String(length=64), nullable=False),
        sa.Column("one_person", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("overridden", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
    )
    with op.batch_alter_table("release", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_release_kind_subject"), ["kind", "subject"], unique=False)
        batch_op.create_index(batch_op.f("ix_release_made_at"), ["made_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_release_state_not_after"), ["state", "not_after"], unique=False)

    op.create_table(
        "roles",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("title_en", sa.String(length=100), nullable=False),
        sa.Column("title_zh", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_roles")),
    )
    op.create_table(
        "sms_inbound",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("modem", sa.String(length=32), nullable=False),
        sa.Column("sender", sa.String(length=24), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("reply_to", sa.String(length=26), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_inbound")),
    )
    with op.batch_alter_table("sms_inbound", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sms_inbound_arrived_at"), ["arrived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sms_inbound_sender"), ["sender"], unique=False)

    op.create_table(
        "sms_job",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("request", sa.String(length=200), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message_class", sa.Integer(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("concatenation", sa.Integer(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("report", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("incident", sa.String(length=26), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_job")),
        sa.UniqueConstraint("request", name=op.f("uq_sms_job_request")),
    )
    with op.batch_alter_table("sms_job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sms_job_made_at"), ["made_at"], unique=False)

    op.create_table(
        "sms_part",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("modem", sa.String(length=32), nullable=False),
        sa.Column("sim", sa.String(length=16), nullable=False),
        sa.Column("sender", sa.String(length=24), nullable=False),
        sa.Column("reference", sa.Integer(), nullable=False),
        sa.Column("wide", sa.Boolean(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("raw", sa.String(length=400), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.String(length=26), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sms_part")),
    )
    with op.batch_alter_table("sms_part", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sms_part_arrived_at"), ["arrived_at"], unique=False)

    op.create_table(
        "tel_calls",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("line", sa.String(length=32), nullable=False),
        sa.Column("uniqueid", sa.String(length=150), nullable=True),
        sa.Column("linkedid", sa.String(length=150), nullable=False),
        sa.Column("caller", sa.String(length=80), nullable=False),
        sa.Column("called", sa.String(length=80), nullable=False),
        sa.Column("contact", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("dialled_by", sa.String(length=100), nullable=False),
        sa.Column("incident", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ringing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("phone", sa.String(length=32), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cause", sa.Integer(), nullable=True),
        sa.Column("cause_text", sa.String(length=80), nullable=False),
        sa.Column("synthesised", sa.Boolean(), nullable=False),
        sa.Column("recovered", sa.Boolean(), nullable=False),
        sa.Column("causation", sa.String(length=64), nullable=True),
        sa.Column("traceparent", sa.String(length=64), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tel_calls")),
        sa.UniqueConstraint("linkedid", name=op.f("uq_tel_calls_linkedid")),
        sa.UniqueConstraint("uniqueid", name=op.f("uq_tel_calls_uniqueid")),
    )
    with op.batch_alter_table("tel_calls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tel_calls_ended_at"), ["ended_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_tel_calls_started_at"), ["started_at"], unique=False)

    op.create_table(
        "tel_cel_position",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tel_cel_position")),
    )
    op.create_table(
        "application_rights",
        sa.Column("application", sa.String(length=32), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.name"], name=op.f("fk_application_rights_application_applications")
        ),
        sa.PrimaryKeyConstraint("application", "verb", "resource", name=op.f("pk_application_rights")),
    )
    op.create_table(
        "dir_numbers",
        sa.Column("contact_id", sa.String(length=26), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("written", sa.String(length=64), nullable=False),
        sa.Column("canonical", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["dir_contacts.id"], name=op.f("fk_dir_numbers_contact_id_dir_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("contact_id", "place", name=op.f("pk_dir_numbers")),
    )
    with op.batch_alter_table("dir_numbers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dir_numbers_canonical"), ["canonical"], unique=False)

    op.create_table(
        "incident_link",
        sa.Column("aggregate", sa.String(length=128), nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_link_incident_id_incident")),
        sa.PrimaryKeyConstraint("aggregate", name=op.f("pk_incident_link")),
    )
    with op.batch_alter_table("incident_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_link_incident_id"), ["incident_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_link_linked_at"), ["linked_at"], unique=False)

    op.create_table(
        "incident_note",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.String(length=128), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_note_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_note")),
    )
    with op.batch_alter_table("incident_note", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_note_incident_id"), ["incident_id"], unique=False)

    op.create_table(
        "operator_roles",
        sa.Column("operator", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["operators.name"], name=op.f("fk_operator_roles_operator_operators")),
        sa.ForeignKeyConstraint(["role"], ["roles.name"], name=op.f("fk_operator_roles_role_roles")),
        sa.PrimaryKeyConstraint("operator", "role", name=op.f("pk_operator_roles")),
    )
    op.create_table(
        "release_step",
        sa.Column("release_id", sa.String(length=26), nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_release_step_release_id_release")),
        sa.PrimaryKeyConstraint("release_id", "round", "place", name=op.f("pk_release_step")),
    )
    op.create_table(
        "role_rights",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["role"], ["roles.name"], name=op.f("fk_role_rights_role_roles")),
        sa.PrimaryKeyConstraint("role", "verb", "resource", name=op.f("pk_role_rights")),
    )
    op.create_table(
        "sessions",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("operator", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["operators.name"], name=op.f("fk_sessions_operator_operators")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sessions_operator"), ["operator"], unique=False)

    op.create_table(
        "sign_in_failures",
        sa.Column("operator", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["operators.name"], name=op.f("fk_sign_in_failures_operator_operators")),
        sa.PrimaryKeyConstraint("operator", "source", name=op.f("pk_sign_in_failures")),
    )
    op.create_table(
        "sms_recipient",
        sa.Column("job_id", sa.String(length=26), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["sms_job.id"], name=op.f("fk_sms_recipient_job_id_sms_job")),
        sa.PrimaryKeyConstraint("job_id", "place", name=op.f("pk_sms_recipient")),
    )
    with op.batch_alter_table("sms_recipient", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sms_recipient_number"), ["number"], unique=False)

    op.create_table(
        "sms_segment",
        sa.Column("job_id", sa.String(length=26), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("segment", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("modem", sa.String(length=32), nullable=False),
        sa.Column("sim", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.Integer(), nullable=True),
        sa.Column("handed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id", "place"],
            ["sms_recipient.job_id", "sms_recipient.place"],
            name=op.f("fk_sms_segment_job_id_place_sms_recipient"),
        ),
        sa.PrimaryKeyConstraint("job_id", "place", "segment", name=op.f("pk_sms_segment")),
    )
    with op.batch_alter_table("sms_segment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sms_segment_sim_handed_at"), ["sim", "handed_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_sms_segment_state_priority_job_id_place_segment"),
            ["state", "priority", "job_id", "place", "segment"],
            unique=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("sms_segment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_segment_state_priority_job_id_place_segment"))
        batch_op.drop_index(batch_op.f("ix_sms_segment_sim_handed_at"))

    op.drop_table("sms_segment")
    with op.batch_alter_table("sms_recipient", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_recipient_number"))

    op.drop_table("sms_recipient")
    op.drop_table("sign_in_failures")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_operator"))
        batch_op.drop_index(batch_op.f("ix_sessions_expires_at"))

    op.drop_table("sessions")
    op.drop_table("role_rights")
    op.drop_table("release_step")
    op.drop_table("operator_roles")
    with op.batch_alter_table("incident_note", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_note_incident_id"))

    op.drop_table("incident_note")
    with op.batch_alter_table("incident_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_link_linked_at"))
        batch_op.drop_index(batch_op.f("ix_incident_link_incident_id"))

    op.drop_table("incident_link")
    with op.batch_alter_table("dir_numbers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dir_numbers_canonical"))

    op.drop_table("dir_numbers")
    op.drop_table("application_rights")
    op.drop_table("tel_cel_position")
    with op.batch_alter_table("tel_calls", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tel_calls_started_at"))
        batch_op.drop_index(batch_op.f("ix_tel_calls_ended_at"))

    op.drop_table("tel_calls")
    with op.batch_alter_table("sms_part", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_part_arrived_at"))

    op.drop_table("sms_part")
    with op.batch_alter_table("sms_job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_job_made_at"))

    op.drop_table("sms_job")
    with op.batch_alter_table("sms_inbound", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_inbound_sender"))
        batch_op.drop_index(batch_op.f("ix_sms_inbound_arrived_at"))

    op.drop_table("sms_inbound")
    op.drop_table("roles")
    with op.batch_alter_table("release", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_release_state_not_after"))
        batch_op.drop_index(batch_op.f("ix_release_made_at"))
        batch_op.drop_index(batch_op.f("ix_release_kind_subject"))

    op.drop_table("release")
    op.drop_table("quarantine")
    op.drop_table("operators")
    op.drop_table("meta")
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_journal_type_time"))
        batch_op.drop_index(
            batch_op.f("ix_journal_incident_seq"),
            sqlite_where=sa.text("incident IS NOT NULL"),
            postgresql_where=sa.text("incident IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_journal_aggregate_aggseq"))

    op.drop_table("journal")
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_opened_at"))

    op.drop_table("incident")
    op.drop_table("document_removal")
    op.drop_table("document_hold")
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_document_incident"))
        batch_op.drop_index(batch_op.f("ix_document_digest"))
        batch_op.drop_index(batch_op.f("ix_document_created_at"))
        batch_op.drop_index(batch_op.f("ix_document_aggregate"))

    op.drop_table("document")
    op.drop_table("dir_uses")
    op.drop_table("dir_units")
    op.drop_table("dir_contacts")
    with op.batch_alter_table("dir_changes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dir_changes_contact_id"))

    op.drop_table("dir_changes")
    with op.batch_alter_table("commands", schema=None) as batch_op:
        batch_op.drop_index("ix_commands_state_finished_at")
        batch_op.drop_index(batch_op.f("ix_commands_answer_pending"))

    op.drop_table("commands")
    op.drop_table("broker_credentials")
    op.drop_table("audit_head")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_principal"))
        batch_op.drop_index(batch_op.f("ix_audit_at"))
        batch_op.drop_index(batch_op.f("ix_audit_action"))

    op.drop_table("audit")
    op.drop_table("applications")
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alarm_state"))
        batch_op.drop_index(batch_op.f("ix_alarm_raised_at"))
        batch_op.drop_index(batch_op.f("ix_alarm_key"))

    op.drop_table("alarm")
    op.drop_table("aggregate_mark")
