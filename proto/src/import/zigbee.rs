//! Zigbee manufacturer codes and the makers they were assigned to.
//!
//! A code names who the stack or the product was certified for, which is at times the maker of the chip (Ember, Jennic,
//! Telink) and not of the lamp: it is what the firmware itself says, so it is taken as it is (DECISIONS 35). Only codes
//! that occur in public firmware lists are here; others stay unplaced.

/// Code and maker, ascending.
const MAKERS: [(u16, &str); 29] = [
    (0x1002, "Ember"),
    (0x100b, "Signify"),
    (0x1015, "Develco"),
    (0x1021, "Legrand"),
    (0x1037, "Jennic"),
    (0x10f2, "ubisys"),
    (0x110c, "Osram Sylvania"),
    (0x1135, "dresden elektronik"),
    (0x1141, "Telink"),
    (0x1144, "Lutron"),
    (0x115c, "Poly-Control"),
    (0x115f, "Lumi"),
    (0x1160, "Sengled"),
    (0x1166, "Innr"),
    (0x1168, "Leedarson"),
    (0x117a, "Insta"),
    (0x117c, "IKEA of Sweden"),
    (0x1189, "Ledvance"),
    (0x1209, "Robert Bosch"),
    (0x1224, "Sunricher"),
    (0x1228, "Shanghai Xiaoyan"),
    (0x1233, "Third Reality"),
    (0x1246, "Danfoss"),
    (0x124f, "Gledopto"),
    (0x126a, "Shyugj"),
    (0x1286, "CoolKit"),
    (0x128b, "NodOn"),
    (0x1337, "Datek"),
    (0x6666, "Sprut.device"),
];

/// The maker that a manufacturer code was assigned to.
pub(super) fn maker(code: u16) -> Option<&'static str> {
    MAKERS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}
