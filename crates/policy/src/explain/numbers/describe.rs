//! What a valid number says, line by line.

use super::{pick, province_name};
use crate::explain::Language;
use crate::numbers::{
    LicenceNumber, Number, Parsed, Province, PublicSecurityNumber, ServiceLetter, ServiceNumber,
    SubjectNumber,
};

/// One line of what a number says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberLine {
    /// What the line is about.
    pub label: &'static str,
    /// What the number says about it.
    pub value: String,
}

/// What a number says: its normal form, kind, province, subject, service, year, businesses, and
/// what to be careful about.
#[must_use]
pub fn describe_number(parsed: &Parsed, language: Language) -> Vec<NumberLine> {
    let number = &parsed.number;
    let mut lines = Lines {
        language,
        lines: Vec::new(),
    };
    lines.push("number", "号码", number.as_str());
    match number {
        Number::Filing(filing) => {
            lines.say("kind", "类型", "ICP filing number", "ICP备案号");
            subject_lines(&mut lines, filing.subject());
            service_lines(&mut lines, filing.service());
        }
        Number::Licence(licence) => {
            lines.say(
                "kind",
                "类型",
                "telecom licence number",
                "电信业务经营许可证号",
            );
            licence_lines(&mut lines, *licence);
            lines.say(
                "use as filing number",
                "用作备案号",
                "also the subject number in filings of its holder; a website adds -n",
                "持证主体的备案主体号即为该号，网站另加“-n”",
            );
        }
        Number::PublicSecurity(security) => {
            let (english, chinese) = ("public security filing number", "公安联网备案号");
            lines.say("kind", "类型", english, chinese);
            public_security_lines(&mut lines, *security);
        }
    }
    if parsed.missing_hao {
        lines.say(
            "warning",
            "提示",
            "written without 号; add it where the number is shown",
            "缺少“号”字，展示时应补上",
        );
    }
    lines.lines
}

struct Lines {
    language: Language,
    lines: Vec<NumberLine>,
}

impl Lines {
    fn push(&mut self, english: &'static str, chinese: &'static str, value: impl Into<String>) {
        let label = pick(self.language, english, chinese);
        self.lines.push(NumberLine {
            label,
            value: value.into(),
        });
    }

    fn say(
        &mut self,
        english_label: &'static str,
        chinese_label: &'static str,
        english: &str,
        chinese: &str,
    ) {
        let value = match self.language {
            Language::English => english,
            Language::Chinese => chinese,
        };
        self.push(english_label, chinese_label, value);
    }

    fn province(&mut self, province: Option<Province>) {
        match province {
            Some(province) => {
                self.push("province", "省份", province_name(province, self.language));
            }
            None => self.say(
                "province",
                "省份",
                "none: issued by the ministry, for several provinces or all",
                "无：工业和信息化部颁发，跨地区",
            ),
        }
    }
}

fn subject_lines(lines: &mut Lines, subject: SubjectNumber) {
    lines.push("subject number", "主体备案号", subject.as_str());
    if let Some(licence) = subject.as_licence() {
        lines.say(
            "form",
            "形式",
            "licence form: the holder's telecom licence number replaces its filing number",
            "许可证形式：以持证主体的许可证号代替备案号",
        );
        licence_lines(lines, licence);
        return;
    }
    lines.province(subject.province());
    match subject.year() {
        Some(year) => lines.push("year", "年份", year.to_string()),
        None => lines.say(
            "warning",
            "提示",
            "six digits: the oldest form, no longer given out",
            "6 位数字：早期号码，现已不再发放",
        ),
    }
}

fn service_lines(lines: &mut Lines, service: Option<ServiceNumber>) {
    let Some(service) = service else {
        lines.say(
            "service",
            "服务",
            "none: the number of the subject, not of one of its sites",
            "无：主体备案号，不对应具体网站",
        );
        return;
    };
    let (english, chinese) = match service.letter() {
        None => ("website", "网站"),
        Some(ServiceLetter::App) => ("app (A)", "App（A）"),
        Some(ServiceLetter::MiniProgram) => ("mini program (X)", "小程序（X）"),
        Some(ServiceLetter::QuickApp) => ("quick app (K)", "快应用（K）"),
    };
    let index = service.index();
    lines.say(
        "service",
        "服务",
        &format!("{english}, number {index} in the sequence of this subject"),
        &format!("{chinese}，该主体的第 {index} 个服务序号"),
    );
}

fn licence_lines(lines: &mut Lines, licence: LicenceNumber) {
    lines.province(licence.province());
    lines.push("year", "年份", licence.year().to_string());
    let Some(classes) = licence.classes() else {
        lines.say(
            "businesses",
            "业务种类",
            "internet information services; read on the licence which ones",
            "互联网信息服务，具体以许可证载明为准",
        );
        return;
    };
    if licence.is_foreign_invested() {
        lines.say(
            "holder",
            "持证人",
            "a foreign-invested company (合字)",
            "外商投资企业（合字）",
        );
    }
    lines.say(
        "classes",
        "业务类别",
        &format!("{classes} (A: basic telecom, B: value-added telecom)"),
        &format!("{classes}（A：基础电信业务，B：增值电信业务）"),
    );
    lines.say(
        "businesses",
        "业务种类",
        "not in the number: B21 (transaction processing, EDI) and B25 (information services, ICP) \
         are both B2; read them on the licence or at tsm.miit.gov.cn",
        "号码不体现：B21（在线数据处理与交易处理）和 B25（信息服务）均为 B2，\
         须查看许可证或 tsm.miit.gov.cn",
    );
}

fn public_security_lines(lines: &mut Lines, security: PublicSecurityNumber) {
    lines.province(security.province());
    let division = security.digits().get(..6).unwrap_or_default();
    lines.push("division of the police office", "公安机关区划", division);
    lines.push(
        "query page",
        "查询地址",
        format!(
            "https://beian.mps.gov.cn/#/query/webSearch?code={}",
            security.digits()
        ),
    );
    lines.say(
        "use as filing number",
        "用作备案号",
        "no: the public security filing is another one than the ICP filing",
        "不可：公安联网备案与ICP备案是两项备案",
    );
    if security.is_unusual() {
        lines.say(
            "warning",
            "提示",
            "digits 7 and 8 are usually 02; check the number on the query page",
            "第 7、8 位通常为 02，请在查询页面核对",
        );
    }
}
