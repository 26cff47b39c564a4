"""Programs for those who develop FiboService."""
