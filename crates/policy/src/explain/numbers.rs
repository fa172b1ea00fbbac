//! Wording for numbers of `crate::numbers`: what is wrong with one, and what one says.

mod describe;

pub use describe::{NumberLine, describe_number};

use crate::explain::Language;
use crate::numbers::{DigitCount, NumberError, NumberErrorKind as Kind, NumberKind, Province};

/// Name of a province.
#[must_use]
pub fn province_name(province: Province, language: Language) -> &'static str {
    let (english, chinese) = match province {
        Province::Beijing => ("Beijing", "北京"),
        Province::Tianjin => ("Tianjin", "天津"),
        Province::Hebei => ("Hebei", "河北"),
        Province::Shanxi => ("Shanxi", "山西"),
        Province::InnerMongolia => ("Inner Mongolia", "内蒙古"),
        Province::Liaoning => ("Liaoning", "辽宁"),
        Province::Jilin => ("Jilin", "吉林"),
        Province::Heilongjiang => ("Heilongjiang", "黑龙江"),
        Province::Shanghai => ("Shanghai", "上海"),
        Province::Jiangsu => ("Jiangsu", "江苏"),
        Province::Zhejiang => ("Zhejiang", "浙江"),
        Province::Anhui => ("Anhui", "安徽"),
        Province::Fujian => ("Fujian", "福建"),
        Province::Jiangxi => ("Jiangxi", "江西"),
        Province::Shandong => ("Shandong", "山东"),
        Province::Henan => ("Henan", "河南"),
        Province::Hubei => ("Hubei", "湖北"),
        Province::Hunan => ("Hunan", "湖南"),
        Province::Guangdong => ("Guangdong", "广东"),
        Province::Guangxi => ("Guangxi", "广西"),
        Province::Hainan => ("Hainan", "海南"),
        Province::Chongqing => ("Chongqing", "重庆"),
        Province::Sichuan => ("Sichuan", "四川"),
        Province::Guizhou => ("Guizhou", "贵州"),
        Province::Yunnan => ("Yunnan", "云南"),
        Province::Tibet => ("Tibet", "西藏"),
        Province::Shaanxi => ("Shaanxi", "陕西"),
        Province::Gansu => ("Gansu", "甘肃"),
        Province::Qinghai => ("Qinghai", "青海"),
        Province::Ningxia => ("Ningxia", "宁夏"),
        Province::Xinjiang => ("Xinjiang", "新疆"),
    };
    pick(language, english, chinese)
}

/// What is wrong with a number, at which character (counted from 1, as people do), and what to
/// write instead.
#[must_use]
pub fn number_error(error: &NumberError, language: Language) -> String {
    let problem = match language {
        Language::English => in_english(error.kind),
        Language::Chinese => in_chinese(error.kind),
    };
    let number = error.position.saturating_add(1);
    let place = match (language, error.found) {
        _ if error.kind == Kind::Empty => String::new(),
        (Language::English, Some(found)) => format!(" (character {number}, `{found}`)"),
        (Language::English, None) => format!(" (character {number}, at the end of the text)"),
        (Language::Chinese, Some(found)) => format!("（第 {number} 个字符“{found}”）"),
        (Language::Chinese, None) => format!("（第 {number} 个字符，文本末尾）"),
    };
    let remedy = match (language, &error.suggestion) {
        (_, None) => String::new(),
        (Language::English, Some(suggestion)) => format!("; did you mean `{suggestion}`?"),
        (Language::Chinese, Some(suggestion)) => format!("；是否应为“{suggestion}”？"),
    };
    format!("{problem}{place}{remedy}")
}

fn in_english(kind: Kind) -> String {
    match kind {
        Kind::BadSuffix => {
            "the service suffix is a dash and a number from 1 to 99999 without leading zero".into()
        }
        Kind::Empty => "no number was given".into(),
        Kind::LetterForDigit { digit } => {
            format!("a letter stands where the digit {digit} was probably meant")
        }
        Kind::LicenceProvinceMismatch => {
            "the province before ICP证 is another than that of the licence number after it; give \
             the number alone"
                .into()
        }
        Kind::LooksLikeUrl => {
            "this is a web address; give the number that the filing system shows".into()
        }
        Kind::MissingDash => "a dash belongs between the licence class and its digits".into(),
        Kind::MissingHao => "the character 号 is missing".into(),
        Kind::MissingProvince => "the number must begin with the character of a province".into(),
        Kind::NotMainland => {
            "Hong Kong, Macao and Taiwan have no filing numbers; filing is for the mainland".into()
        }
        Kind::Placeholder => {
            "this is a made-up number of a template; give the number on your filing".into()
        }
        Kind::ProvinceForm { expected } => {
            format!("in this kind of number the province is written {expected}")
        }
        Kind::PublicSecurityProvince { expected } => {
            format!("the digits of a public security number of this province begin with {expected}")
        }
        Kind::SuffixMissing => {
            "the number of a service ends with a suffix such as -1; this is a subject number".into()
        }
        Kind::SuffixNotAllowed => "here the number stands without service suffix".into(),
        Kind::TooLong => "a number is never longer than 255 characters".into(),
        Kind::TrailingText => "something follows the number; give the number alone".into(),
        Kind::UnexpectedCharacter => "this character does not belong here".into(),
        Kind::UnknownPrefix => {
            "this does not begin like a filing, licence or public security number; a filing \
             number looks like 京ICP备10046444号-1"
                .into()
        }
        Kind::UnknownProvince => {
            "this is not the character of a province; use its one-character form".into()
        }
        Kind::UnknownServiceLetter => {
            "the letter of a service is A (app), X (mini program) or K (quick app); a website has \
             none"
                .into()
        }
        Kind::UnofficialRegistry => {
            "this is a number of a joke registry, not of the ministry's filing system".into()
        }
        Kind::WrongDigitCount { found, expected } => {
            let digits = if found == 1 { "digit" } else { "digits" };
            let expected = match expected {
                DigitCount::ClassedLicence => "a licence of this form has 8",
                DigitCount::Filing => "a filing number has 8 or 10 (the oldest 6)",
                DigitCount::NumberedLicence => "a licence of this form has 6",
                DigitCount::PublicSecurity => "a public security number has 14",
            };
            format!("{found} {digits} were read, but {expected}")
        }
        Kind::WrongKind { found, wanted } => {
            let [found, wanted] = [found, wanted].map(|kind| match kind {
                NumberKind::Filing => "filing number",
                NumberKind::Licence => "telecom licence number",
                NumberKind::PublicSecurity => "public security number",
            });
            format!("this is a {found}, but a {wanted} is needed")
        }
        Kind::YearInFuture { year } => format!("the year {year} has not come yet"),
        Kind::YearOutOfRange { first, last } => {
            format!("numbers of this form are of the years {first} to {last}")
        }
    }
}

fn in_chinese(kind: Kind) -> String {
    match kind {
        Kind::BadSuffix => "服务后缀应为“-”加 1 至 99999 的数字，且不以 0 开头".into(),
        Kind::Empty => "未填写号码".into(),
        Kind::LetterForDigit { digit } => format!("此处应为数字 {digit}，却填了字母"),
        Kind::LicenceProvinceMismatch => {
            "“ICP证”前的省份与其后许可证号的省份不一致，请只填写许可证号".into()
        }
        Kind::LooksLikeUrl => "这是网址，请填写备案系统中显示的号码".into(),
        Kind::MissingDash => "许可证类别与数字之间缺少“-”".into(),
        Kind::MissingHao => "缺少“号”字".into(),
        Kind::MissingProvince => "号码应以省份简称开头".into(),
        Kind::NotMainland => "港澳台没有备案号，备案仅适用于中国大陆".into(),
        Kind::Placeholder => "这是模板中的示例号码，请填写实际的备案号".into(),
        Kind::ProvinceForm { expected } => format!("此类号码中该省份应写作“{expected}”"),
        Kind::PublicSecurityProvince { expected } => {
            format!("该省份的公安联网备案号应以数字 {expected} 开头")
        }
        Kind::SuffixMissing => "这是主体备案号，服务备案号应带“-1”等后缀".into(),
        Kind::SuffixNotAllowed => "此处号码不应带服务后缀".into(),
        Kind::TooLong => "号码不会超过 255 个字符".into(),
        Kind::TrailingText => "号码之后有多余内容，请只填写号码".into(),
        Kind::UnexpectedCharacter => "此处不应出现该字符".into(),
        Kind::UnknownPrefix => {
            "开头不是备案号、许可证号或公安联网备案号，备案号形如 京ICP备10046444号-1".into()
        }
        Kind::UnknownProvince => "不是省份简称，请使用一个字的省份简称".into(),
        Kind::UnknownServiceLetter => {
            "服务字母只能是 A（App）、X（小程序）或 K（快应用），网站没有字母".into()
        }
        Kind::UnofficialRegistry => "这是娱乐性质的号码，并非工信部备案系统的备案号".into(),
        Kind::WrongDigitCount { found, expected } => {
            let expected = match expected {
                DigitCount::ClassedLicence => "此种许可证号应为 8 位",
                DigitCount::Filing => "备案号应为 8 位或 10 位（早期为 6 位）",
                DigitCount::NumberedLicence => "此种许可证号应为 6 位",
                DigitCount::PublicSecurity => "公安联网备案号应为 14 位",
            };
            format!("读到 {found} 位数字，{expected}")
        }
        Kind::WrongKind { found, wanted } => {
            let [found, wanted] = [found, wanted].map(|kind| match kind {
                NumberKind::Filing => "备案号",
                NumberKind::Licence => "电信业务经营许可证号",
                NumberKind::PublicSecurity => "公安联网备案号",
            });
            format!("这是{found}，此处需要{wanted}")
        }
        Kind::YearInFuture { year } => format!("年份 {year} 尚未到来"),
        Kind::YearOutOfRange { first, last } => {
            format!("此种号码的年份应在 {first} 至 {last} 之间")
        }
    }
}

fn pick(language: Language, english: &'static str, chinese: &'static str) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::{Mode, Number};

    fn wrong(text: &str, language: Language) -> String {
        number_error(
            &Number::parse(text, Mode::Strict, 2026).unwrap_err(),
            language,
        )
    }

    fn described(text: &str, language: Language) -> Vec<(&'static str, String)> {
        let parsed = Number::parse(text, Mode::Display, 2026).unwrap();
        let lines = describe_number(&parsed, language);
        lines
            .into_iter()
            .map(|line| (line.label, line.value))
            .collect()
    }

    #[test]
    fn errors_name_the_character_and_the_remedy() {
        assert_eq!(
            wrong("川ICP备2026033844号-1", Language::English),
            "in this kind of number the province is written 蜀 (character 1, `川`); did you mean \
             `蜀ICP备2026033844号-1`?"
        );
        assert_eq!(
            wrong("川ICP备2026033844号-1", Language::Chinese),
            "此类号码中该省份应写作“蜀”（第 1 个字符“川”）；是否应为“蜀ICP备2026033844号-1”？"
        );
        assert_eq!(
            wrong("京ICP备10046444", Language::English),
            "the character 号 is missing (character 14, at the end of the text); did you mean \
             `京ICP备10046444号`?"
        );
        assert_eq!(
            wrong("京ICP备093817344号", Language::Chinese),
            "读到 9 位数字，备案号应为 8 位或 10 位（早期为 6 位）（第 14 个字符“4”）"
        );
        assert_eq!(wrong("", Language::English), "no number was given");
    }

    #[test]
    fn a_licence_class_says_nothing_of_the_businesses() {
        for text in ["粤B2-20090059", "粤B2-20090059-5"] {
            let lines = described(text, Language::English);
            let businesses = lines
                .iter()
                .find(|(label, _)| *label == "businesses")
                .unwrap();
            assert!(
                businesses.1.starts_with("not in the number: B21"),
                "{businesses:?}"
            );
        }
    }

    #[test]
    fn numbers_are_described_line_by_line() {
        let line = |label, value: &str| (label, value.to_owned());
        assert_eq!(
            described("鄂ICP备2024036893-1A", Language::English),
            [
                line("number", "鄂ICP备2024036893号-1A"),
                line("kind", "ICP filing number"),
                line("subject number", "鄂ICP备2024036893号"),
                line("province", "Hubei"),
                line("year", "2024"),
                line(
                    "service",
                    "app (A), number 1 in the sequence of this subject"
                ),
                line(
                    "warning",
                    "written without 号; add it where the number is shown"
                ),
            ]
        );
        assert_eq!(
            described("川公网安备51012403001727号", Language::Chinese),
            [
                line("号码", "川公网安备51012403001727号"),
                line("类型", "公安联网备案号"),
                line("省份", "四川"),
                line("公安机关区划", "510124"),
                line(
                    "查询地址",
                    "https://beian.mps.gov.cn/#/query/webSearch?code=51012403001727"
                ),
                line("用作备案号", "不可：公安联网备案与ICP备案是两项备案"),
                line("提示", "第 7、8 位通常为 02，请在查询页面核对"),
            ]
        );
    }

    #[test]
    fn every_province_has_two_names_of_its_own() {
        for language in [Language::English, Language::Chinese] {
            let names: std::collections::BTreeSet<&str> = Province::all()
                .map(|province| province_name(province, language))
                .collect();
            assert_eq!(names.len(), 31);
        }
    }
}
