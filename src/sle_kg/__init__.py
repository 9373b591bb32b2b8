"""sle-kg: trial eligibility for CAR-T cell therapy in lupus, from registry prose to RDF, SHACL and verdicts."""

__version__ = "0.1.0"
