//! Wording for problems of `crate::domain_name`: what is wrong with a host name, and what to do.
//!
//! Of the text that was typed, only the host made out of it and single forbidden characters are
//! repeated; what stands before an `@` never is.

use super::Language;
use crate::domain_name::{HostError, LabelProblem, UrlPart};

/// What is wrong with a host name and what to do about it, in one sentence or two.
#[must_use]
pub fn host_error(error: &HostError, language: Language) -> String {
    match language {
        Language::English => english(error),
        Language::Chinese => chinese(error),
    }
}

fn english(error: &HostError) -> String {
    match error {
        HostError::Bidirectional => "the name mixes right-to-left and left-to-right characters in \
            a way that host names may not; use the A-label form that the registry shows"
            .to_owned(),
        HostError::Control { position } => {
            format!("character {position} is a control character; type the name anew")
        }
        HostError::Empty => {
            "the name is empty; give a host name such as `www.example.cn`".to_owned()
        }
        HostError::EmptyLabel { label } => {
            format!("part {label} of the name is empty; remove the superfluous dot")
        }
        HostError::Forbidden {
            character: ' ',
            position,
        } => {
            format!("there is a space at character {position}; give one host name without spaces")
        }
        HostError::Forbidden {
            character,
            position,
        } => format!(
            "`{character}` at character {position} cannot stand in a host name; use letters, \
             digits, hyphens and dots only"
        ),
        HostError::Label { label, problem } => english_label(*label, *problem),
        HostError::LeadingDot {
            suggestion: Some(suggestion),
        } => {
            format!("the name begins with a dot; write `{suggestion}` for a wildcard")
        }
        HostError::LeadingDot { suggestion: None } => {
            "the name begins with a dot; remove it, or write `*.` in front for a wildcard"
                .to_owned()
        }
        HostError::NameTooLong { length } => {
            format!("the name has {length} octets, and a host name has at most 253; shorten it")
        }
        HostError::NotBare { host, part } => {
            let what = match part {
                UrlPart::Path => "a path",
                UrlPart::Port => "a port",
                UrlPart::Scheme => "a URL",
                UrlPart::UserInfo => "a mailbox or user name",
            };
            match host {
                Some(host) => format!("this holds {what}, not only a host name; use `{host}`"),
                None => {
                    format!("this holds {what}, not only a host name; give the host name alone")
                }
            }
        }
        HostError::Numeric => {
            "the last part of the name is a number, and the whole is not an IPv4 \
            address; give a host name, or the address as four decimal numbers"
                .to_owned()
        }
        HostError::PublicSuffix { suffix } => format!(
            "`{suffix}` is a public suffix under which names are registered; give a name below it"
        ),
        HostError::SingleLabel => "the name has one part only; give the whole name, with its \
            top-level domain"
            .to_owned(),
        HostError::Underscore { position } => format!(
            "there is an underscore at character {position}; such names hold DNS records and are \
             not hosts; give the host name itself"
        ),
        HostError::WildcardAlone => {
            "a `*` alone covers every name; write it in front of one name, \
            as in `*.example.cn`"
                .to_owned()
        }
        HostError::WildcardOverSuffix { suffix } => format!(
            "a wildcard over the public suffix `{suffix}` covers names of other registrants; put \
             it in front of a registered name"
        ),
        HostError::WildcardPosition { position } => format!(
            "the `*` at character {position} is not the whole first part of the name; only one \
             leading `*.` is possible, as in `*.example.cn`"
        ),
    }
}

fn english_label(label: usize, problem: LabelProblem) -> String {
    match problem {
        LabelProblem::EdgeHyphen => {
            format!("part {label} of the name begins or ends with a hyphen; remove it")
        }
        LabelProblem::Idna => format!(
            "part {label} of the name holds characters that internationalised names do not allow; \
             use the form that the registry shows"
        ),
        LabelProblem::Punycode => format!(
            "part {label} of the name begins with `xn--` and encodes no valid name; type the name \
             in its own script instead"
        ),
        LabelProblem::TooLong { length } => format!(
            "part {label} of the name has {length} octets, and a part has at most 63; shorten it"
        ),
    }
}

fn chinese(error: &HostError) -> String {
    match error {
        HostError::Bidirectional => {
            "域名混用了从右向左与从左向右书写的字符，不符合规范；请使用注册局显示的 A-label（xn--）形式"
                .to_owned()
        }
        HostError::Control { position } => {
            format!("第 {position} 个字符是控制字符；请重新输入域名")
        }
        HostError::Empty => "域名为空；请填写主机名，例如 `www.example.cn`".to_owned(),
        HostError::EmptyLabel { label } => format!("域名的第 {label} 段为空；请去掉多余的点"),
        HostError::Forbidden { character: ' ', position } => {
            format!("第 {position} 个字符是空格；请只填写一个不含空格的域名")
        }
        HostError::Forbidden { character, position } => format!(
            "第 {position} 个字符 `{character}` 不能用于域名；域名只能包含字母、数字、连字符和点"
        ),
        HostError::Label { label, problem } => chinese_label(*label, *problem),
        HostError::LeadingDot { suggestion: Some(suggestion) } => {
            format!("域名以点开头；泛域名请写作 `{suggestion}`")
        }
        HostError::LeadingDot { suggestion: None } => {
            "域名以点开头；请去掉该点，泛域名请在前面写 `*.`".to_owned()
        }
        HostError::NameTooLong { length } => {
            format!("域名长 {length} 字节，最长为 253 字节；请缩短")
        }
        HostError::NotBare { host, part } => {
            let what = match part {
                UrlPart::Path => "路径",
                UrlPart::Port => "端口",
                UrlPart::Scheme => "网址（URL）",
                UrlPart::UserInfo => "邮箱或用户名",
            };
            match host {
                Some(host) => format!("填写的内容含有{what}，不是单纯的域名；请使用 `{host}`"),
                None => format!("填写的内容含有{what}，不是单纯的域名；请只填写域名"),
            }
        }
        HostError::Numeric => {
            "域名的最后一段是数字，且整体不是 IPv4 地址；请填写域名，或以四段十进制数填写地址".to_owned()
        }
        HostError::PublicSuffix { suffix } => {
            format!("`{suffix}` 是公共后缀，域名注册在其下；请填写该后缀下的域名")
        }
        HostError::SingleLabel => "域名只有一段；请填写包含顶级域的完整域名".to_owned(),
        HostError::Underscore { position } => format!(
            "第 {position} 个字符是下划线；此类名称用于 DNS 记录，不是主机名；请填写主机名本身"
        ),
        HostError::WildcardAlone => {
            "单独的 `*` 会覆盖所有域名；请写在某个域名之前，例如 `*.example.cn`".to_owned()
        }
        HostError::WildcardOverSuffix { suffix } => format!(
            "公共后缀 `{suffix}` 之上的泛域名会覆盖他人的域名；请写在已注册的域名之前"
        ),
        HostError::WildcardPosition { position } => format!(
            "第 {position} 个字符 `*` 不是完整的第一段；只能有一个位于开头的 `*.`，例如 `*.example.cn`"
        ),
    }
}

fn chinese_label(label: usize, problem: LabelProblem) -> String {
    match problem {
        LabelProblem::EdgeHyphen => {
            format!("域名的第 {label} 段以连字符开头或结尾；请去掉该连字符")
        }
        LabelProblem::Idna => {
            format!("域名的第 {label} 段含有国际化域名不允许的字符；请使用注册局显示的形式")
        }
        LabelProblem::Punycode => {
            format!("域名的第 {label} 段以 `xn--` 开头，但不是有效的编码；请直接用原文字填写")
        }
        LabelProblem::TooLong { length } => {
            format!("域名的第 {label} 段长 {length} 字节，每段最长为 63 字节；请缩短")
        }
    }
}
