import django.utils.timezone
from django.db import migrations, models


def changes(model):
    return [
        migrations.AlterField(
            model_name=model,
            name='created_at',
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name=model,
            name='created_crc32',
            # Right for none of the rows that there are: verify --repair makes them again.
            field=models.PositiveBigIntegerField(default=0, help_text='CRC-32 of created_at'),
        ),
    ]


class Migration(migrations.Migration):

    dependencies = [
        ('sequence', '0003_seal'),
    ]

    operations = [*changes('segment'), *changes('codedsegment')]
