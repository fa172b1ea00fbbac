//! Titles of the rules.

use super::Language;
use crate::rules::RuleId;

/// Title of a rule; a heading, without full stop.
#[must_use]
pub const fn rule_title(rule: RuleId, language: Language) -> &'static str {
    let (english, chinese) = match rule {
        RuleId::R01 => ("Form of the name", "域名格式"),
        RuleId::R45 => ("Bare IP address", "仅用 IP 访问"),
        RuleId::R02 => ("No filing outside the mainland", "内地以外无需备案"),
        RuleId::R47 => ("Customer's real name", "客户实名认证"),
        RuleId::R48 => ("Control of the domain", "域名归属权"),
        RuleId::R04 => ("Blocked domain", "域名黑名单"),
        RuleId::R05 => ("Blocked subject", "主体黑名单"),
        RuleId::R07 => ("Website filing", "网站备案"),
        RuleId::R08 => ("Filing that could not be looked up", "备案无法查询"),
        RuleId::R09 => ("Filing through any provider", "不限备案接入商"),
        RuleId::R13 => ("Filing under review", "备案审核中"),
        RuleId::R14 => ("Change under review", "变更审核中"),
        RuleId::R54 => ("Cancelled filing", "备案已注销"),
        RuleId::R55 => ("Suspended filing", "备案已暂停"),
        RuleId::R06 => ("Access restriction", "限制接入"),
        RuleId::R42 => ("Filing of another kind", "备案类型不符"),
        RuleId::R60 => ("Filing of the script twin", "仅简繁异体已备案"),
        RuleId::R41 => ("App filing", "App 备案"),
        RuleId::R43 => (
            "Cancelled app or mini-program filing",
            "App、小程序备案已注销",
        ),
        RuleId::R44 => ("Mini-program filing", "小程序备案"),
        RuleId::R53 => ("Filed by another subject", "已由其他主体备案"),
        RuleId::R10 => ("Linked with this provider", "已接入本服务商"),
        RuleId::R11 => ("Not linked with this provider", "未接入本服务商"),
        RuleId::R12 => ("Days of grace for the access filing", "接入备案宽限期"),
        RuleId::R15 => ("No access provider left", "空壳备案"),
        RuleId::R17 => ("Form of the claimed number", "备案号格式"),
        RuleId::R16 => ("Claimed number against the record", "备案号与记录核对"),
        RuleId::R18 => ("Origin and host header", "源站与回源 Host"),
        RuleId::R19 => ("Payments and natural persons", "个人经营"),
        RuleId::R56 => ("Payments and representative offices", "代表机构经营"),
        RuleId::R24 => ("Declared business model", "经营模式声明"),
        RuleId::R23 => ("Self-operated shop", "自营商城"),
        RuleId::R20 => ("Telecom business licence", "电信业务经营许可证"),
        RuleId::R25 => ("Licence in force", "许可证有效性"),
        RuleId::R26 => ("Licence about to end", "许可证即将到期"),
        RuleId::R27 => ("Licence of a parent company", "母公司许可证"),
        RuleId::R28 => ("Subject number in licence form", "许可证号形式的主体备案号"),
        RuleId::R21 => ("Marketplace business", "平台类业务种类"),
        RuleId::R22 => ("Information business", "信息服务业务种类"),
        RuleId::R32 => ("Registrant known", "域名注册者信息"),
        RuleId::R29 => ("Registrant of a person's filing", "个人备案的域名注册者"),
        RuleId::R31 => (
            "Registrant of an organisation's filing",
            "单位备案的域名注册者",
        ),
        RuleId::R30 => ("Role of the registrant", "注册者角色与省份要求"),
        RuleId::R59 => ("Superseded certificate", "旧式证件"),
        RuleId::R52 => ("Changed name of the subject", "主体名称变更"),
        RuleId::R33 => ("Real name at the registry", "域名实名认证"),
        RuleId::R34 => ("State of the registration", "域名状态"),
        RuleId::R35 => ("Approved suffix, before filing", "备案前核对域名后缀"),
        RuleId::R36 => ("Approved registrar, before filing", "备案前核对注册商"),
        RuleId::R37 => (
            "Approved suffix and registrar, once filed",
            "已备案域名的后缀与注册商",
        ),
        RuleId::R46 => ("Suffix for the nature of the body", "单位性质与后缀"),
        RuleId::R58 => (
            "Province of number and credit code",
            "备案号与信用代码的省份",
        ),
        RuleId::R38 => ("Sector approval", "前置审批"),
        RuleId::R57 => ("Forum of a natural person", "个人论坛"),
        RuleId::R39 => ("Number on the home page", "首页备案号"),
        RuleId::R40 => ("Public-security filing", "公安联网备案"),
    };
    language.pick(english, chinese)
}
