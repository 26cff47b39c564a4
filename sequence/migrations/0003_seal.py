from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sequence', '0002_coded_segments'),
    ]

    operations = [
        migrations.AddField(
            model_name='codedsegment',
            name='seal',
            # Right for none of the rows that there are: they are made again.
            field=models.PositiveBigIntegerField(default=0, help_text='CRC-32 of what the columns before it say'),
            preserve_default=False,
        ),
    ]
