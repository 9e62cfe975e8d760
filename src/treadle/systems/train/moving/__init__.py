"""Moving: existing MLflow stores are brought in, compared field by field, and written out again."""
