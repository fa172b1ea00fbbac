//! The 31 mainland provinces and the characters that stand for them in numbers.
//!
//! **Absent on purpose:** Hong Kong, Macao and Taiwan, which have no prefix because filing is a
//! mainland duty; and the names, which are wording and live in [`crate::explain::numbers`].

/// A province, autonomous region or municipality of mainland China, in the order of its
/// GB/T 2260 code.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[expect(missing_docs, reason = "each variant is the province of that name")]
pub enum Province {
    Beijing,
    Tianjin,
    Hebei,
    Shanxi,
    InnerMongolia,
    Liaoning,
    Jilin,
    Heilongjiang,
    Shanghai,
    Jiangsu,
    Zhejiang,
    Anhui,
    Fujian,
    Jiangxi,
    Shandong,
    Henan,
    Hubei,
    Hunan,
    Guangdong,
    Guangxi,
    Hainan,
    Chongqing,
    Sichuan,
    Guizhou,
    Yunnan,
    Tibet,
    Shaanxi,
    Gansu,
    Qinghai,
    Ningxia,
    Xinjiang,
}

/// Which characters stand for one province.
struct Row {
    province: Province,
    /// GB/T 2260, first two digits.
    code: u8,
    /// In filing numbers.
    icp: char,
    /// In public security numbers.
    public_security: char,
    /// On number plates, and in some licences.
    plate: char,
}

const fn row(province: Province, code: u8, icp: char, public_security: char, plate: char) -> Row {
    Row {
        province,
        code,
        icp,
        public_security,
        plate,
    }
}

/// Four provinces have another character in filing numbers than on number plates: Sichuan,
/// Guizhou, Yunnan and Gansu. INVARIANT: in the order of the enum, so that a province is its own
/// index.
const ROWS: [Row; 31] = [
    row(Province::Beijing, 11, '京', '京', '京'),
    row(Province::Tianjin, 12, '津', '津', '津'),
    row(Province::Hebei, 13, '冀', '冀', '冀'),
    row(Province::Shanxi, 14, '晋', '晋', '晋'),
    row(Province::InnerMongolia, 15, '蒙', '蒙', '蒙'),
    row(Province::Liaoning, 21, '辽', '辽', '辽'),
    row(Province::Jilin, 22, '吉', '吉', '吉'),
    row(Province::Heilongjiang, 23, '黑', '黑', '黑'),
    row(Province::Shanghai, 31, '沪', '沪', '沪'),
    row(Province::Jiangsu, 32, '苏', '苏', '苏'),
    row(Province::Zhejiang, 33, '浙', '浙', '浙'),
    row(Province::Anhui, 34, '皖', '皖', '皖'),
    row(Province::Fujian, 35, '闽', '闽', '闽'),
    row(Province::Jiangxi, 36, '赣', '赣', '赣'),
    row(Province::Shandong, 37, '鲁', '鲁', '鲁'),
    row(Province::Henan, 41, '豫', '豫', '豫'),
    row(Province::Hubei, 42, '鄂', '鄂', '鄂'),
    row(Province::Hunan, 43, '湘', '湘', '湘'),
    row(Province::Guangdong, 44, '粤', '粤', '粤'),
    row(Province::Guangxi, 45, '桂', '桂', '桂'),
    row(Province::Hainan, 46, '琼', '琼', '琼'),
    row(Province::Chongqing, 50, '渝', '渝', '渝'),
    row(Province::Sichuan, 51, '蜀', '川', '川'),
    row(Province::Guizhou, 52, '黔', '贵', '贵'),
    row(Province::Yunnan, 53, '滇', '滇', '云'),
    row(Province::Tibet, 54, '藏', '藏', '藏'),
    row(Province::Shaanxi, 61, '陕', '陕', '陕'),
    row(Province::Gansu, 62, '陇', '甘', '甘'),
    row(Province::Qinghai, 63, '青', '青', '青'),
    row(Province::Ningxia, 64, '宁', '宁', '宁'),
    row(Province::Xinjiang, 65, '新', '新', '新'),
];

impl Province {
    /// All provinces, by GB/T 2260 code.
    pub fn all() -> impl Iterator<Item = Province> {
        ROWS.iter().map(|row| row.province)
    }

    /// The province of a GB/T 2260 code: the first two digits of an administrative division.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Province> {
        ROWS.iter()
            .find(|row| row.code == code)
            .map(|row| row.province)
    }

    /// The province of a character as filing numbers use it: 蜀 is Sichuan, 川 is nothing.
    #[must_use]
    pub fn from_icp_prefix(character: char) -> Option<Province> {
        ROWS.iter()
            .find(|row| row.icp == character)
            .map(|row| row.province)
    }

    /// The province of a character as public security numbers use it: 川 is Sichuan, 蜀 is
    /// nothing. 云 is read as Yunnan, since some sites write it.
    #[must_use]
    pub fn from_public_security_prefix(character: char) -> Option<Province> {
        ROWS.iter()
            .find(|row| row.public_security == character)
            .map(|row| row.province)
            .or((character == '云').then_some(Province::Yunnan))
    }

    /// The province of a character in either form, as telecom licences use them.
    #[must_use]
    pub fn from_any_prefix(character: char) -> Option<Province> {
        ROWS.iter()
            .find(|row| {
                row.icp == character || row.public_security == character || row.plate == character
            })
            .map(|row| row.province)
    }

    /// GB/T 2260 code, two digits.
    #[must_use]
    pub fn code(self) -> u8 {
        self.row().code
    }

    /// The character that begins its filing numbers.
    #[must_use]
    pub fn icp_prefix(self) -> char {
        self.row().icp
    }

    /// The character that begins its public security numbers.
    #[must_use]
    pub fn public_security_prefix(self) -> char {
        self.row().public_security
    }

    fn row(self) -> &'static Row {
        const FIRST: &Row = &ROWS[0];
        ROWS.get(self as usize).unwrap_or(FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_province_is_its_own_index() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.province as usize, index);
            assert_eq!(Province::from_code(row.code), Some(row.province));
            assert_eq!(
                Province::from_icp_prefix(row.province.icp_prefix()),
                Some(row.province)
            );
        }
        assert_eq!(Province::all().count(), 31);
    }

    #[test]
    fn four_characters_differ_from_number_plates() {
        let differing: Vec<(char, char)> = ROWS
            .iter()
            .filter(|row| row.icp != row.plate)
            .map(|row| (row.icp, row.plate))
            .collect();
        assert_eq!(
            differing,
            [('蜀', '川'), ('黔', '贵'), ('滇', '云'), ('陇', '甘')]
        );
        for plate in ['川', '贵', '云', '甘', '港', '澳', '台', '萌'] {
            assert_eq!(Province::from_icp_prefix(plate), None);
        }
        assert_eq!(Province::from_public_security_prefix('蜀'), None);
        assert_eq!(Province::from_code(71), None);
    }
}
