"""What the dashboards show. Begin with model.py, which tells how it is written."""
