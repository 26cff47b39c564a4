"""The tables of the index, in place of any that versions before 0.1.0 made.

What they held is derived from the files, and written again (sequence/operations/reconcile.py).
"""

from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.deletion import CASCADE

OLD_TABLES = ("sequence_codedsegment", "sequence_term", "sequence_segment")


class Migration(migrations.Migration):

    # Not taken for applied (--fake-initial) as there are tables of these names: they are replaced.
    initial = False

    operations = [
        *(migrations.RunSQL(f"DROP TABLE IF EXISTS {table}", migrations.RunSQL.noop) for table in OLD_TABLES),
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("number", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64, unique=True)),
                ("first_term", models.PositiveBigIntegerField(unique=True)),
                ("term_count", models.PositiveBigIntegerField()),
                ("start_offset", models.PositiveBigIntegerField(unique=True)),
                ("length_bytes", models.PositiveBigIntegerField()),
                ("block_checksums", models.BinaryField(help_text="CRC-32 of each block, 4 bytes big-endian each")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("served", models.PositiveBigIntegerField(default=0, help_text="how often")),
                ("served_at", models.DateTimeField(help_text="for the last time", null=True)),
                ("checked_blocks", models.PositiveBigIntegerField(default=0, help_text="read and checked")),
                ("repaired", models.PositiveBigIntegerField(default=0, help_text="stretches that were wrong")),
            ],
            options={
                "ordering": ("number",),
                "permissions": (
                    ("verify_segment", "Can verify segments"),
                    ("repair_segment", "Can repair segments"),
                    ("populate_segment", "Can populate the store"),
                ),
                "constraints": [
                    models.CheckConstraint(condition=Q(term_count__gte=1), name="segment_has_terms"),
                    models.CheckConstraint(condition=Q(length_bytes__gte=2 * F("term_count")), name="segment_has_bytes"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Term",
            fields=[
                ("n", models.IntegerField(primary_key=True, serialize=False)),
                ("position", models.PositiveBigIntegerField()),
                ("digits", models.PositiveBigIntegerField()),
                ("segment", models.ForeignKey(db_index=False, on_delete=CASCADE, related_name="terms", to="sequence.segment")),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=Q(digits__gte=1), name="term_has_digits")],
            },
        ),
    ]
