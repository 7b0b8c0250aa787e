"""Reports as pages: one HTML file each, that loads nothing, runs nothing, and believes nothing that is in the data."""
