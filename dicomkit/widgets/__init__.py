"""Pictures to look at in a notebook: one image, a cine, an overview of a folder, a viewer of slices."""
