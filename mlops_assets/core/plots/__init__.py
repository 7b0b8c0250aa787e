"""Pictures of evidence: records in, SVG bytes out. One file per room; nothing here computes a figure."""
