//! What people are called, and what volunteers write about them.

/// First names, with accents and other scripts as a voter file has them.
pub(crate) const FIRST_NAMES: [&str; 40] = [
    "Maria", "James", "Aisha", "José", "Zoë", "Wei", "Fatima", "O'Neil", "Anne-Marie", "François", "Renée",
    "Björn", "Siobhán", "Łukasz", "Nguyễn", "美咲", "李", "지우", "Олена", "Δημήτρης", "Chloé", "Malik",
    "Guadalupe", "Priya", "Mary Jo", "Jean-Luc", "Ana", "Tyrone", "Keisha", "Ahmed", "Beyoncé", "D'Andre",
    "Ingrid", "Mateo", "Sofía", "Raj", "Yolanda", "Kwame", "Hông", "Emma",
];

/// Last names; some hold what a CSV file has to quote.
pub(crate) const LAST_NAMES: [&str; 24] = [
    "García", "Smith", "Nguyen", "Johnson", "Müller", "O’Brien", "Lee", "Washington, Jr.", "de la Cruz", "Patel",
    "Kowalski", "van den Berg", "Núñez", "Williams", "Brown-Lewis", "Søndergård", "Jackson", "St. John", "Kim",
    "Chukwu", "Davis III", "\"Buddy\" Cole", "Öztürk", "Martínez",
];

/// Notes, most of them empty; line ends, quotes and separators among them.
pub(crate) const NOTES: [&str; 16] = [
    "",
    "",
    "",
    "",
    "",
    "called twice; no answer",
    "left a message\nwill call back",
    "said \"maybe\", ask again",
    "moved; new address unknown, see sheet 2",
    "prefers español",
    "don’t call before 10",
    "donor 2024; $25\nthank-you sent\n\nask for more",
    "landline?",
    "n/a",
    "\tvolunteer",
    "wants a yard sign, a ride; and a call",
];
