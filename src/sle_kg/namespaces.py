"""Every IRI prefix of the project, in one place."""

BASE = "https://w3id.org/sle-kg/"
SLE = BASE + "ontology#"
TRIAL = BASE + "trial/"
SHAPE = BASE + "shape/"
PROFILE = BASE + "profile#"
PATIENT = BASE + "patient/"
CODE = BASE + "code/"
READING = BASE + "reading/"
VERDICT = BASE + "verdict/"
LOCAL_CODES = BASE + "codes"
"""Code system of everything that no standard terminology covers (a FHIR `system`, not a prefix)."""

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
MEDDRA = "http://terminology.hl7.org/CodeSystem/MDRAE"
UCUM = "http://unitsofmeasure.org"

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
DCTERMS = "http://purl.org/dc/terms/"
PROV = "http://www.w3.org/ns/prov#"
SH = "http://www.w3.org/ns/shacl#"
EARL = "http://www.w3.org/ns/earl#"
VANN = "http://purl.org/vocab/vann/"
GEO = "http://www.w3.org/2003/01/geo/wgs84_pos#"
VOID = "http://rdfs.org/ns/void#"
DCAT = "http://www.w3.org/ns/dcat#"

PREFIXES: dict[str, str] = {
    "sle": SLE,
    "trial": TRIAL,
    "shape": SHAPE,
    "profile": PROFILE,
    "patient": PATIENT,
    "code": CODE,
    "reading": READING,
    "verdict": VERDICT,
    "rdf": RDF,
    "rdfs": RDFS,
    "owl": OWL,
    "xsd": XSD,
    "skos": SKOS,
    "dcterms": DCTERMS,
    "prov": PROV,
    "sh": SH,
    "earl": EARL,
    "vann": VANN,
    "geo": GEO,
    "void": VOID,
    "dcat": DCAT,
}
"""Prefixes that every serialisation of ours declares."""
