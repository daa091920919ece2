"""Judgements: values in, findings out. Pure; imports only parsers/."""
