"""Patients: FHIR and RDF to raw records, raw records to fact tables."""
