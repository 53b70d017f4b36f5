"""What scripts/export_schemas.py writes beside the schemas: tables of fields in Markdown."""
