"""DataSets become labelled volumes in millimetres: geometry, stacks, lazy arrays, accessor, resampling, export."""
