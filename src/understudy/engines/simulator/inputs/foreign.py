"""Words of German, French, Spanish and Italian for what the options of properties often are."""

from __future__ import annotations

from typing import Final

_ROWS: Final[dict[str, str]] = {
    "today": "heute hoy oggi aujourd'hui", "tomorrow": "morgen demain domani", "week": "woche semaine semana settimana",
    "month": "monat mois mes mese", "year": "jahr année año anno", "day": "jour día giorno",
    "cat": "katze chat gato gatto", "dog": "hund chien perro cane", "rabbit": "kaninchen lapin conejo coniglio",
    "on": "allume enciende encender einschalten", "off": "éteins apaga apagar ausschalten",
    "small": "klein petit pequeño piccolo", "large": "groß grande", "medium": "mittel moyen mediano",
    "high": "hoch élevée alta", "low": "niedrig basse baja bassa", "urgent": "dringend urgente",
    "train": "zug tren treno", "car": "voiture coche", "bus": "autobús", "flight": "flug vuelo",
    "house": "haus maison casa", "flat": "wohnung appartement piso", "rent": "mieten louer alquilar",
    "buy": "kaufen acheter comprar", "vegetarian": "vegetarisch végétarien vegetariano",
    "vaccination": "impfung vaccin vacuna", "morning": "matin", "evening": "abend soir tarde",
    "monday": "montag lundi lunes", "tuesday": "dienstag mardi martes", "wednesday": "mittwoch mercredi miércoles",
    "thursday": "donnerstag jeudi jueves", "friday": "freitag vendredi viernes",
    "saturday": "samstag samedi sábado", "sunday": "sonntag dimanche domingo",
    "red": "rouge rojo", "blue": "blau bleu azul", "green": "grün verde", "guided": "guiada guidée",
    "children": "niños enfants kinder bambini", "adults": "adultos adultes erwachsene adulti",
}  # fmt: skip

ENGLISH: Final[dict[str, str]] = {word: english for english, others in _ROWS.items() for word in others.split()}
"""The word of another language → the English one, both in lower case."""
