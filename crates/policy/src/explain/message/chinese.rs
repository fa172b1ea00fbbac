//! What was found, in Chinese.

use crate::codes::{BlockList, Product, Reason};
use crate::decision::{Detail, FactSet, Finding};
use crate::domain_name::Host;
use crate::explain::{Explained, Language, Text, details, domain_name, names, numbers};
use crate::facts::Why;
use crate::numbers::Number;
use crate::rules::RuleId;

const LANGUAGE: Language = Language::Chinese;

/// What a finding with a reason has found.
#[expect(clippy::too_many_lines, reason = "one arm for each reason")]
pub(in crate::explain) fn message(ctx: &Explained<'_>, finding: &Finding, reason: Reason) -> Text {
    match reason {
        Reason::DomainBlacklisted => match details::block_list(ctx, finding) {
            Some(BlockList::Provider) => "域名或其上级域名在本服务商黑名单中。".into(),
            Some(BlockList::Authority) => "域名或其上级域名在主管部门黑名单中。".into(),
            None => "域名或其上级域名在黑名单中。".into(),
        },
        Reason::SubjectBlacklisted => match (details::block_list(ctx, finding), ctx.pre_filing()) {
            (Some(BlockList::Provider), false) => "备案主体在本服务商黑名单中。".into(),
            (Some(BlockList::Provider), true) => "申请人在本服务商黑名单中。".into(),
            (Some(BlockList::Authority), false) => "备案主体在主管部门黑名单中。".into(),
            (Some(BlockList::Authority), true) => "申请人在主管部门黑名单中。".into(),
            (None, false) => "备案主体在黑名单中。".into(),
            (None, true) => "申请人在黑名单中。".into(),
        },
        Reason::DomainInvalid => invalid(ctx, finding),
        Reason::CustomerNotVerified => {
            if finding.detail == Detail::Undeclared {
                "未声明客户是否已完成实名认证。".into()
            } else {
                "客户未完成实名认证。".into()
            }
        }
        Reason::DomainControlNotProven => {
            if finding.detail == Detail::Undeclared {
                "未声明客户是否已证明域名归属权。".into()
            } else {
                "客户未证明域名归属权。".into()
            }
        }
        Reason::FilingNumberInvalid => malformed(ctx, finding),
        Reason::FilingNumberMismatch => {
            if finding.detail == Detail::OtherServiceKind {
                "提交的备案号主体正确，但属于其他类型的服务。".into()
            } else {
                "提交的备案号与该域名的备案记录不一致。".into()
            }
        }
        Reason::FilingNumberForm => {
            if finding.detail == Detail::OtherService {
                "提交的备案号主体正确，但属于该主体的另一项服务。".into()
            } else {
                "提交的号码主体正确，但不是该服务的备案号。".into()
            }
        }
        Reason::FilingAccessRestricted => "该备案被主管部门限制接入。".into(),
        Reason::FilingNotFound => "该域名没有网站备案。".into(),
        Reason::FilingCancelled if finding.detail == Detail::WholeSubject => {
            "备案主体已注销，其下全部备案同时失效。".into()
        }
        Reason::FilingCancelled => match ctx.request.profile.product {
            Product::AppBackend => "该 App 的备案已注销。".into(),
            Product::MiniProgramBackend if finding.rule == RuleId::R43 => {
                "该小程序的备案已注销。".into()
            }
            Product::Cdn
            | Product::Hosting
            | Product::ReverseProxy
            | Product::MiniProgramBackend
            | Product::DnsOnly => "该域名的网站备案已注销。".into(),
        },
        Reason::FilingSuspended => {
            if finding.detail == Detail::WholeSubject {
                "备案主体及其全部备案已被主管部门暂停。".into()
            } else {
                "该备案已被主管部门暂停。".into()
            }
        }
        Reason::FilingInProgress => "该域名的备案正在审核，尚未取得备案号。".into(),
        Reason::FiledByAnotherSubject => {
            if finding.detail == Detail::NoApplicant {
                "该域名已备案，而请求未写明申请人。".into()
            } else {
                "该域名已由申请人以外的主体备案。".into()
            }
        }
        Reason::AppNotFiled => "该域名未列入任何 App 备案；网站备案不能代替 App 备案。".into(),
        Reason::MiniProgramNotFiled => "没有覆盖该域名的小程序备案。".into(),
        Reason::AccessNotLinked => "该域名已备案，但备案未接入本服务商。".into(),
        Reason::OriginNotFiled => match &ctx.request.profile.origin_host {
            Some(origin) => format!("源站域名 `{origin}` 没有有效的网站备案。").into(),
            None => "源站域名没有有效的网站备案。".into(),
        },
        Reason::HostHeaderNotFiled => match &ctx.request.profile.host_header {
            Some(host) => format!("回源 Host `{host}` 没有有效的网站备案。").into(),
            None => "回源 Host 没有有效的网站备案。".into(),
        },
        Reason::RegistrantMismatch => mismatch(finding),
        Reason::RegistrantVariant => variant(finding),
        Reason::RegistrantUnknown => unknown_registrant(finding),
        Reason::RegistrantRoleNarrowed => match details::province(ctx, finding) {
            Some(province) => format!(
                "域名注册者的角色符合全国规定，但{}新办备案不接受该角色。",
                numbers::province_name(province, LANGUAGE)
            )
            .into(),
            None => "域名注册者的角色符合全国规定，但所在省份新办备案不接受该角色。".into(),
        },
        Reason::CertificateFormOld => {
            "域名注册者以旧式证件（组织机构代码或 15 位身份证号）匹配。".into()
        }
        Reason::SubjectNameChanged => "备案主体与域名注册者证件相同，但名称不同。".into(),
        Reason::RealNameUnverified => "注册局显示该域名未完成实名认证。".into(),
        Reason::RealNameSyncing => "该域名已完成实名认证，但尚未同步至主管部门。".into(),
        Reason::DomainExpired => {
            match details::registration(ctx, finding).and_then(|value| value.expires_at) {
                Some(at) => {
                    let day = crate::calendar::beijing_day(at);
                    format!("该域名的注册已于 {day}（北京时间）到期。").into()
                }
                None => "该域名的注册已到期。".into(),
            }
        }
        Reason::DomainNotActive => match details::blocking_statuses(ctx, finding).join("、") {
            statuses if statuses.is_empty() => "该域名已被注册局暂停解析。".into(),
            statuses => format!("该域名不能正常使用，注册局状态为：{statuses}。").into(),
        },
        Reason::CommercialByIndividual => "网站有支付功能，而备案主体为个人。".into(),
        Reason::CommercialByRepresentativeOffice => "网站有支付功能，而备案主体为代表机构。".into(),
        Reason::CommercialLicenceRevoked => {
            format!("电信业务经营许可证{}已被吊销。", number(ctx, finding)).into()
        }
        Reason::CommercialLicenceSuspended => {
            format!("电信业务经营许可证{}已被暂停。", number(ctx, finding)).into()
        }
        Reason::CommercialLicenceExpired => format!(
            "电信业务经营许可证{}{}已过期。",
            number(ctx, finding),
            last_day(ctx, finding)
        )
        .into(),
        Reason::CommercialLicenceExpiring => format!(
            "电信业务经营许可证{}{}即将到期。",
            number(ctx, finding),
            last_day(ctx, finding)
        )
        .into(),
        Reason::CommercialLicenceHolderMismatch => {
            "备案主体自身没有电信业务经营许可证，许可证由其母公司持有。".into()
        }
        Reason::CommercialLicenceMissing => match details::business(finding) {
            Some(business) => format!(
                "网站有支付功能，而备案主体没有电信业务经营许可证；所声明的经营模式需要{}。",
                names::business(business, LANGUAGE)
            )
            .into(),
            None => "网站有支付功能，而备案主体没有电信业务经营许可证。".into(),
        },
        Reason::CommercialLicenceKindMissing => format!(
            "电信业务经营许可证{}不包含所声明经营模式需要的{}。",
            number(ctx, finding),
            business(finding)
        )
        .into(),
        Reason::CommercialLicenceKindUnknown => format!(
            "备案主体有电信业务经营许可证，但没有记录其是否包含所声明经营模式需要的{}。",
            business(finding)
        )
        .into(),
        Reason::CommercialModelUnknown => "网站有支付功能，但未声明经营模式。".into(),
        Reason::DisplayBusinessLicence => {
            "该网站为自营商城：无需电信业务经营许可证，但须公示营业执照。".into()
        }
        Reason::SectorApprovalMissing => match details::sector(ctx, finding) {
            Some(sector) => {
                let sector = names::sector(sector, LANGUAGE);
                format!("没有“{sector}”类网站的前置审批记录。").into()
            }
            None => "没有该行业的前置审批记录。".into(),
        },
        Reason::SectorApprovalExpired => match details::approval(ctx, finding) {
            Some(approval) => {
                let sector = names::sector(approval.sector, LANGUAGE);
                let ended = approval
                    .expires_on
                    .map_or(String::new(), |day| format!("，有效期至 {day}"));
                format!(
                    "“{sector}”类网站的前置审批（编号 `{}`{ended}）已过期。",
                    approval.approval_number
                )
                .into()
            }
            None => "该行业的前置审批已过期。".into(),
        },
        Reason::ForumByIndividual => "网站设有论坛，而备案主体为个人。".into(),
        Reason::TldNotApproved => {
            let tld = details::top_level_domain(ctx);
            format!("顶级域 `.{tld}` 未获批复，不能新办备案。").into()
        }
        Reason::RegistrarNotApproved => "该域名的注册商未获工信部批复。".into(),
        Reason::SuffixNotForNature => match details::nature(ctx, finding) {
            Some(nature) => {
                let nature = names::nature(nature, LANGUAGE);
                format!("该域名后缀不适用于{nature}。").into()
            }
            None => "该域名后缀与备案单位的性质不符。".into(),
        },
        Reason::ProvinceMismatch => province(ctx, finding),
        Reason::DisplayTakedown => "网站因首页备案号问题被关闭，整改尚未确认。".into(),
        Reason::DisplayMissing => "网站首页未展示备案号。".into(),
        Reason::DisplayWrongNumber => "网站首页展示的备案号不符。".into(),
        Reason::DisplaySubjectForm => "网站首页展示的是主体备案号，而不是网站备案号。".into(),
        Reason::DisplayNotLinked => "网站首页的备案号未链接至主管部门网站。".into(),
        Reason::FactsUnavailable | Reason::FactsStale => unknown(finding),
        Reason::BareIp => "网站拟仅以 IP 地址提供访问。".into(),
        Reason::FilingVariantOnly => "已备案的不是该域名本身，而是其简体或繁体形式。".into(),
        Reason::FilingKindMismatch => {
            "仅有 App、小程序或快应用备案列有该域名，没有网站备案。".into()
        }
        Reason::AccessLinkGrace => "接入备案已通过本服务商初审，但备案尚未接入。".into(),
        Reason::EmptyShellRisk => "该备案已无有效接入，属于空壳备案，存在被注销的风险。".into(),
        Reason::PublicSecurityFilingDue => "网站已开通，没有公安联网备案记录。".into(),
    }
}

fn invalid(ctx: &Explained<'_>, finding: &Finding) -> Text {
    let what = match details::part(finding) {
        FactSet::Name | FactSet::Applicant => "域名",
        FactSet::Origin => "源站",
        FactSet::HostHeader => "回源 Host",
    };
    match details::host(ctx, finding) {
        Some(Err(error)) => format!(
            "{what}格式不正确：{}。",
            domain_name::host_error(error, LANGUAGE)
        )
        .into(),
        Some(Ok(Host::Ip(_))) => match ctx.request.profile.product {
            Product::Hosting | Product::ReverseProxy => {
                "该 IP 地址是私有、本地或保留地址，外部无法访问其上的网站。".into()
            }
            Product::Cdn | Product::AppBackend | Product::MiniProgramBackend | Product::DnsOnly => {
                "填写的是 IP 地址，而该产品按域名开通。".into()
            }
        },
        Some(Ok(Host::Name(_))) | None => format!("{what}格式不正确。").into(),
    }
}

fn malformed(ctx: &Explained<'_>, finding: &Finding) -> Text {
    if finding.detail == Detail::YearAhead {
        return "提交的号码所含年份（北京时间）尚未到来。".into();
    }
    match (&ctx.request.claimed, details::claimed_error(ctx)) {
        (_, Some((error, _))) => format!(
            "提交的号码格式不正确：{}。",
            numbers::number_error(&error, LANGUAGE)
        )
        .into(),
        (Some(Ok(Number::PublicSecurity(_))), None) => {
            "提交的是公安联网备案号，而不是 ICP 备案号。".into()
        }
        (_, None) => "提交的号码格式不正确。".into(),
    }
}

fn mismatch(finding: &Finding) -> Text {
    if finding.rule == RuleId::R30 {
        "域名注册者在单位中的角色不符合所在省份新办备案的要求。".into()
    } else if finding.rule == RuleId::R29 {
        "域名注册者不是备案人本人。".into()
    } else {
        "域名注册者既不是备案单位，也不具有可接受的单位角色。".into()
    }
}

fn variant(finding: &Finding) -> Text {
    if finding.detail == Detail::NameAlone {
        "域名注册者与可接受的人员同名，但没有证件表明是同一人。".into()
    } else if finding.detail == Detail::OtherPassport {
        "域名注册者与可接受的人员同名，但护照号不同；护照换发后号码会变。".into()
    } else {
        "域名注册者名称仅在简繁体视为相同时才与可接受的名称一致。".into()
    }
}

fn unknown_registrant(finding: &Finding) -> Text {
    if finding.detail == Detail::NameAlone {
        "域名注册者只有证件记录，且无法与任何一方的证件比对。".into()
    } else if details::rests_on_registration(finding) {
        "域名注册者信息被隐藏或缺失。".into()
    } else {
        "没有该域名的注册记录。".into()
    }
}

/// The number with the space that sets it off from the text around it.
fn number(ctx: &Explained<'_>, finding: &Finding) -> String {
    details::licence(ctx, finding).map_or(String::new(), |licence| {
        format!(" {} ", licence.licence_number.as_str())
    })
}

fn last_day(ctx: &Explained<'_>, finding: &Finding) -> String {
    details::licence(ctx, finding)
        .and_then(|licence| licence.expires_on)
        .map_or(String::new(), |day| format!("（有效期至 {day}）"))
}

fn business(finding: &Finding) -> &'static str {
    details::business(finding).map_or("业务种类", |business| {
        names::business(business, LANGUAGE)
    })
}

fn province(ctx: &Explained<'_>, finding: &Finding) -> Text {
    let number = details::province(ctx, finding);
    let certificate = details::subject(ctx, finding)
        .and_then(|subject| subject.certificate.province)
        .and_then(crate::numbers::Province::from_code);
    match number.zip(certificate) {
        Some((number, certificate)) => format!(
            "备案号属于{}，而主体统一社会信用代码的登记机关行政区划属于{}。",
            numbers::province_name(number, LANGUAGE),
            numbers::province_name(certificate, LANGUAGE)
        )
        .into(),
        None => "备案号与主体统一社会信用代码的省份不同。".into(),
    }
}

fn unknown(finding: &Finding) -> Text {
    let Detail::Unknown(kind, why) = finding.detail else {
        return "规则所需的记录无法取得。".into();
    };
    let kind = names::records(kind, LANGUAGE);
    match why {
        Why::StoreUnavailable => format!("查询“{kind}”时登记库没有响应。").into(),
        Why::NotComplete => {
            format!("登记库中没有记录，但“{kind}”未声明为完整数据，不能据此认定不存在。").into()
        }
        Why::SyncTooOld => format!(
            "登记库中没有记录，但“{kind}”最近一次完整同步过久或从未进行，不能据此认定不存在。"
        )
        .into(),
        Why::Stale => {
            format!("登记库没有响应，而现有的“{kind}”数据超出本次查询允许的时限。").into()
        }
    }
}
