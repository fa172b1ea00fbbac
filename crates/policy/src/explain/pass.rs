//! What it means that a rule passed, or does not apply.

use super::{Explained, Language, Text};
use crate::decision::{Detail, Finding};
use crate::policy::Effect;
use crate::rules::RuleId;

/// What a rule that passed has found.
pub(super) fn passed(ctx: &Explained<'_>, finding: &Finding) -> Text {
    if finding.detail == Detail::Undeclared {
        return ctx
            .language
            .pick(
                "This was not declared, and the policy does not ask for it.",
                "未声明该项，策略不要求声明。",
            )
            .into();
    }
    // Where the policy switches a reason off, a pass does not show that all is well.
    let weighed = finding
        .rule
        .rule()
        .reasons
        .iter()
        .all(|reason| ctx.policy.effect(*reason, ctx.pre_filing()) != Effect::Off);
    if weighed {
        pass(finding.rule, ctx.language).into()
    } else {
        ctx.language
            .pick(
                "Nothing was found that the policy weighs.",
                "未发现策略所考虑的问题。",
            )
            .into()
    }
}

/// That a rule does not apply.
pub(super) fn not_applicable(language: Language) -> Text {
    language
        .pick(
            "The rule does not apply to this question.",
            "该规则不适用于本次查询。",
        )
        .into()
}

#[expect(clippy::too_many_lines, reason = "one arm for each rule")]
const fn pass(rule: RuleId, language: Language) -> &'static str {
    let (english, chinese) = match rule {
        RuleId::R01 => ("The name is well formed.", "域名格式正确。"),
        RuleId::R45 => ("The name is not a bare IP address.", "不是仅用 IP 访问。"),
        RuleId::R02 => (
            "This area or product needs no filing.",
            "该服务区域或产品无需备案。",
        ),
        RuleId::R47 => (
            "The customer's real name is verified.",
            "客户已完成实名认证。",
        ),
        RuleId::R48 => (
            "The customer has proven control of the domain.",
            "客户已证明域名归属权。",
        ),
        RuleId::R04 => ("The domain is on no block list.", "域名不在黑名单中。"),
        RuleId::R05 => ("Whoever files is on no block list.", "主体不在黑名单中。"),
        RuleId::R07 => ("A website filing covers the domain.", "域名已有网站备案。"),
        RuleId::R08 => ("The filing could be looked up.", "备案信息可以查询。"),
        RuleId::R09 => (
            "The filing is in force, whichever provider it was made through.",
            "备案有效，不限由哪家接入商办理。",
        ),
        RuleId::R13 => (
            "No filing of the domain is under review.",
            "没有审核中的备案订单。",
        ),
        RuleId::R14 => (
            "A change of the filing is under review; the filing stays in force meanwhile.",
            "备案变更审核中，期间原备案继续有效。",
        ),
        RuleId::R54 => ("The filing is not cancelled.", "备案未注销。"),
        RuleId::R55 => ("The filing is not suspended.", "备案未暂停。"),
        RuleId::R06 => (
            "The filing carries no access restriction.",
            "备案未被限制接入。",
        ),
        RuleId::R42 => (
            "The filing is of the kind that the product needs.",
            "备案类型与产品相符。",
        ),
        RuleId::R60 => ("The name itself is filed.", "域名本身已备案。"),
        RuleId::R41 => ("An app filing lists the domain.", "域名已列入 App 备案。"),
        RuleId::R43 => (
            "The filing of the app or mini program is not cancelled.",
            "App 或小程序备案未注销。",
        ),
        RuleId::R44 => (
            "A mini-program filing covers the domain.",
            "域名已有小程序备案。",
        ),
        RuleId::R53 => (
            "No other subject has filed the domain.",
            "域名未被其他主体备案。",
        ),
        RuleId::R10 => (
            "The filing is linked with this provider.",
            "备案已接入本服务商。",
        ),
        RuleId::R11 => (
            "The filing is linked with this provider.",
            "备案已接入本服务商。",
        ),
        RuleId::R12 => ("No days of grace are running.", "没有进行中的接入宽限期。"),
        RuleId::R15 => ("The filing has an access provider.", "备案仍有接入商。"),
        RuleId::R17 => (
            "The claimed number is well formed.",
            "提交的备案号格式正确。",
        ),
        RuleId::R16 => (
            "The claimed number is that of the record.",
            "提交的备案号与记录一致。",
        ),
        RuleId::R18 => (
            "The name is covered by a website filing in force.",
            "该域名已有有效的网站备案。",
        ),
        RuleId::R19 => (
            "The filing subject is not a natural person.",
            "备案主体不是个人。",
        ),
        RuleId::R56 => (
            "The filing subject is not a representative office.",
            "备案主体不是代表机构。",
        ),
        RuleId::R24 => ("The business model is declared.", "已声明经营模式。"),
        RuleId::R23 => (
            "The site is not a self-operated shop.",
            "网站不是自营商城。",
        ),
        RuleId::R20 => (
            "The filing subject has a telecom business licence.",
            "备案主体持有电信业务经营许可证。",
        ),
        RuleId::R25 => ("The licence is in force.", "许可证有效。"),
        RuleId::R26 => ("The licence does not end soon.", "许可证近期不会到期。"),
        RuleId::R27 => (
            "The licence is the filing subject's own.",
            "许可证由备案主体自己持有。",
        ),
        RuleId::R28 => (
            "The subject number is a licence number, which shows that there is a licence.",
            "主体备案号即许可证号，表明持有许可证。",
        ),
        RuleId::R21 => (
            "The licence covers the business that a marketplace needs.",
            "许可证包含平台类网站所需的业务种类。",
        ),
        RuleId::R22 => (
            "The licence covers the business that the declared model needs.",
            "许可证包含所声明经营模式需要的业务种类。",
        ),
        RuleId::R32 => ("The registrant is known.", "域名注册者信息可用。"),
        RuleId::R29 => (
            "The domain is registered to the person who files.",
            "域名注册者为备案人本人。",
        ),
        RuleId::R31 => (
            "The registrant is the organisation that files, or has an accepted role in it.",
            "域名注册者为本单位或其认可角色。",
        ),
        RuleId::R30 => (
            "The province accepts the registrant.",
            "所在省份接受该域名注册者。",
        ),
        RuleId::R59 => (
            "The registrant's certificate is of the present form.",
            "域名注册者证件为现行形式。",
        ),
        RuleId::R52 => (
            "Filing subject and registrant bear one name.",
            "备案主体与域名注册者名称一致。",
        ),
        RuleId::R33 => (
            "The registrant's real name is verified.",
            "域名已完成实名认证。",
        ),
        RuleId::R34 => (
            "The registration is in force and not on hold.",
            "域名注册有效且未被暂停。",
        ),
        RuleId::R35 => ("The top-level domain is approved.", "顶级域已获批复。"),
        RuleId::R36 => ("The registrar is approved.", "注册商已获批复。"),
        RuleId::R37 => ("The top-level domain is approved.", "顶级域已获批复。"),
        RuleId::R46 => (
            "The suffix is meant for bodies of this nature.",
            "域名后缀与单位性质相符。",
        ),
        RuleId::R58 => (
            "Filing number and credit code name one province.",
            "备案号与统一社会信用代码的省份一致。",
        ),
        RuleId::R38 => (
            "An approval for the sector is on record.",
            "该行业的前置审批已有记录。",
        ),
        RuleId::R57 => (
            "The forum is not run by a natural person.",
            "论坛不是由个人开办。",
        ),
        RuleId::R39 => (
            "The home page shows the right number.",
            "首页展示的备案号正确。",
        ),
        RuleId::R40 => (
            "A public-security filing is on record.",
            "已有公安联网备案记录。",
        ),
    };
    language.pick(english, chinese)
}
