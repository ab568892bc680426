"""DICOMweb (PS3.18): media types, multipart messages, requests and replies."""
