"""The use cases: asking for a change, deciding it, carrying it out, looking things up.

Knows the domain and the ports. Must not know Teams, Graph, SQL, HTTP or how anything is drawn.
"""
