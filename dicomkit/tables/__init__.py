"""From DataSets to pandas."""
