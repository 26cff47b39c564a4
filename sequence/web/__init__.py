"""What clients see: responses, pages, plots, term facts, metrics, the OpenAPI document."""
