//! Where people live: area codes with a city, a state, the beginning of its zip codes and its time zone.

/// A place with an area code of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) area: u16,
    pub(crate) city: &'static str,
    pub(crate) state: &'static str,
    pub(crate) zip: &'static str,
    pub(crate) time_zone: &'static str,
}

const fn place(
    area: u16,
    city: &'static str,
    state: &'static str,
    zip: &'static str,
    time_zone: &'static str,
) -> Place {
    Place { area, city, state, zip, time_zone }
}

const EAST: &str = "America/New_York";
const CENTRAL: &str = "America/Chicago";
const MOUNTAIN: &str = "America/Denver";
const WEST: &str = "America/Los_Angeles";

/// Old area codes in service, over all time zones of the country.
pub(crate) const PLACES: [Place; 28] = [
    place(212, "New York", "NY", "100", EAST),
    place(718, "Brooklyn", "NY", "112", EAST),
    place(617, "Boston", "MA", "021", EAST),
    place(202, "Washington", "DC", "200", EAST),
    place(215, "Philadelphia", "PA", "191", EAST),
    place(404, "Atlanta", "GA", "303", EAST),
    place(305, "Miami", "FL", "331", EAST),
    place(313, "Detroit", "MI", "482", "America/Detroit"),
    place(317, "Indianapolis", "IN", "462", "America/Indiana/Indianapolis"),
    place(502, "Louisville", "KY", "402", "America/Kentucky/Louisville"),
    place(312, "Chicago", "IL", "606", CENTRAL),
    place(713, "Houston", "TX", "770", CENTRAL),
    place(214, "Dallas", "TX", "752", CENTRAL),
    place(512, "Austin", "TX", "787", CENTRAL),
    place(612, "Minneapolis", "MN", "554", CENTRAL),
    place(414, "Milwaukee", "WI", "532", CENTRAL),
    place(504, "New Orleans", "LA", "701", CENTRAL),
    place(303, "Denver", "CO", "802", MOUNTAIN),
    place(505, "Albuquerque", "NM", "871", MOUNTAIN),
    place(801, "Salt Lake City", "UT", "841", MOUNTAIN),
    place(602, "Phoenix", "AZ", "850", "America/Phoenix"),
    place(702, "Las Vegas", "NV", "891", WEST),
    place(415, "San Francisco", "CA", "941", WEST),
    place(213, "Los Ángeles", "CA", "900", WEST),
    place(206, "Seattle", "WA", "981", WEST),
    place(503, "Portland", "OR", "972", WEST),
    place(907, "Anchorage", "AK", "995", "America/Anchorage"),
    place(808, "Honolulu", "HI", "968", "Pacific/Honolulu"),
];
