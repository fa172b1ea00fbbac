//! What to do about a finding, in Chinese.

use crate::codes::{BlockList, Outcome, Product, Purpose, Reason};
use crate::decision::{Detail, FactSet, Finding};
use crate::domain_name::{Host, HostError};
use crate::explain::{Explained, Language, Text, details, names};
use crate::rules::RuleId;

const LANGUAGE: Language = Language::Chinese;

/// What to do about a finding with a reason.
#[expect(clippy::too_many_lines, reason = "one arm for each reason")]
pub(in crate::explain) fn remediation(
    ctx: &Explained<'_>,
    finding: &Finding,
    reason: Reason,
) -> Text {
    match reason {
        Reason::DomainBlacklisted | Reason::SubjectBlacklisted => {
            match details::block_list(ctx, finding) {
                Some(BlockList::Provider) => {
                    "不得开通，请转交本服务商黑名单管理人员处理。策略与人工审核均不能豁免。".into()
                }
                Some(BlockList::Authority) | None => {
                    "不得开通。只有通信管理局能够解除，策略与人工审核均不能豁免。".into()
                }
            }
        }
        Reason::DomainInvalid => invalid(ctx, finding),
        Reason::CustomerNotVerified => {
            "请客户先完成账号实名认证，再以 `real_name` 为 VERIFIED 重新查询。".into()
        }
        Reason::DomainControlNotProven => "请客户以 TXT 记录或网站文件完成域名归属权验证，\
            再以 `domain_control` 为 PROVEN 重新查询。"
            .into(),
        Reason::FilingAccessRestricted => {
            "请备案主体联系所在省份的通信管理局处理；记录中不再限制接入后方可开通。".into()
        }
        Reason::FilingNotFound => not_found(ctx),
        Reason::FilingCancelled => match ctx.request.profile.product {
            Product::AppBackend => "请重新办理 App 备案；App 备案不能迁移到其他主体。".into(),
            Product::MiniProgramBackend if finding.rule == RuleId::R43 => {
                "请在小程序平台重新办理备案。".into()
            }
            Product::Cdn
            | Product::Hosting
            | Product::ReverseProxy
            | Product::MiniProgramBackend
            | Product::DnsOnly => "请通过接入商重新办理备案；已注销的备案号不能再用。".into(),
        },
        Reason::FilingSuspended => {
            "请备案主体联系所在省份的通信管理局处理，备案恢复后重新查询。".into()
        }
        Reason::FilingInProgress => "请等待取得备案号；此前不得开通，并关闭域名到内地地址的解析。\
            备案通过后重新查询。"
            .into(),
        Reason::FiledByAnotherSubject => {
            if finding.detail == Detail::NoApplicant {
                "请在请求中写明申请人；若申请人不是现备案主体，须先由现主体注销该域名的备案。"
                    .into()
            } else {
                "请现备案主体先注销该域名的备案；无法联系时向其通信管理局申请，之后再办理备案。"
                    .into()
            }
        }
        Reason::AppNotFiled => "请办理 App 备案并列入该域名；App 备案只覆盖列出的域名本身。".into(),
        Reason::MiniProgramNotFiled => "请在小程序平台办理备案，并列入该域名或其上级域名。".into(),
        Reason::AccessNotLinked => {
            "请客户在本服务商办理新增接入；备案号不变，不影响原接入商。".into()
        }
        Reason::OriginNotFiled => "请为源站域名办理备案，或改用已备案域名下的源站。\
            源站在中国内地以外的，请以 `origin_in_mainland` 为 false 重新查询。"
            .into(),
        Reason::HostHeaderNotFiled => {
            "请为回源 Host 的域名办理备案，或改用已备案域名下的回源 Host。".into()
        }
        Reason::RegistrantMismatch => mismatch(ctx, finding),
        Reason::RegistrantVariant => {
            "请客户提供域名证书与注册者证件，人工判断是否为同一持有者。".into()
        }
        Reason::RegistrantUnknown => "请客户提供域名证书，人工判断域名注册者。".into(),
        Reason::RealNameUnverified => "请域名注册者在注册商处完成实名认证，再重新查询。".into(),
        Reason::RealNameSyncing => match ctx.decision.retry_after {
            Some(at) => {
                let day = crate::calendar::beijing_day(at);
                format!("请保留订单，于 {day}（北京时间）重新查询；同步需要数个工作日。").into()
            }
            None => "请保留订单，于下一个工作日重新查询；同步需要数个工作日。".into(),
        },
        Reason::DomainExpired => "请域名注册者续费，再重新查询。".into(),
        Reason::DomainNotActive => "请域名注册者联系注册商处理，状态解除后重新查询。".into(),
        Reason::CommercialByIndividual => {
            "请去掉支付功能，或改由持有电信业务经营许可证的企业备案；\
            个人不能取得该许可证。"
                .into()
        }
        Reason::CommercialByRepresentativeOffice => "请去掉支付功能，\
            或改由持有电信业务经营许可证的企业备案；代表机构不能取得该许可证。"
            .into(),
        Reason::CommercialLicenceRevoked
        | Reason::CommercialLicenceSuspended
        | Reason::CommercialLicenceExpired => {
            "在备案主体重新持有有效许可证之前请去掉支付功能，并将新许可证录入登记库。".into()
        }
        Reason::CommercialLicenceHolderMismatch => {
            let share = details::percent(ctx.policy.licence.parent_share_basis_points);
            if finding.outcome == Outcome::Review {
                format!("请核对母公司使用许可证的授权，以及其持有备案主体的股份不低于 {share}%。")
                    .into()
            } else {
                format!("请备案主体自行取得许可证；仅持股不低于 {share}% 的母公司许可证可予考虑。")
                    .into()
            }
        }
        Reason::CommercialLicenceMissing => {
            "请备案主体取得增值电信业务经营许可证，或去掉支付功能。".into()
        }
        Reason::CommercialLicenceKindMissing => {
            "请备案主体增加许可证的业务种类，或更正所声明的经营模式。".into()
        }
        Reason::CommercialLicenceKindUnknown => {
            "请客户提供载明业务种类的许可证，并录入登记库。".into()
        }
        Reason::CommercialModelUnknown => {
            "请向客户了解经营模式，填写 `business_model` 后重新查询。".into()
        }
        Reason::FilingNumberInvalid => match details::claimed_error(ctx) {
            Some((_, Some(suggestion))) => {
                format!("请与客户核对是否应为“{suggestion}”，并以备案系统显示的号码重新查询。")
                    .into()
            }
            Some((_, None)) | None => "请客户从工信部备案系统复制号码，再重新查询。".into(),
        },
        Reason::FilingNumberMismatch => {
            "请客户在工信部备案系统查询该域名的备案号，并以该号码重新查询。".into()
        }
        Reason::FilingNumberForm => match details::service(ctx, finding) {
            Some(service) => {
                let number = service.service_number.as_str();
                format!("请登记并展示该域名的备案号 {number}。").into()
            }
            None => "请登记并展示覆盖该域名的服务备案号。".into(),
        },
        Reason::SectorApprovalMissing | Reason::SectorApprovalExpired => {
            let approval = details::sector(ctx, finding).map_or("前置审批文件", |sector| {
                names::approval(sector, LANGUAGE)
            });
            if finding.outcome == Outcome::Review {
                format!("请客户提供证明并人工审核：{approval}。").into()
            } else {
                format!("请补充前置审批并录入登记库，再重新查询：{approval}。").into()
            }
        }
        Reason::ForumByIndividual => "请关闭论坛，或改由单位主体备案。".into(),
        Reason::TldNotApproved => {
            if ctx.pre_filing() {
                "请改用其他域名备案；已批复的顶级域可在 https://domain.miit.gov.cn 查询。".into()
            } else {
                "请告知客户：现有备案仍然有效，但变更备案时可能被拒绝。".into()
            }
        }
        Reason::RegistrarNotApproved => {
            if ctx.pre_filing() {
                "请先将域名转入 https://domain.miit.gov.cn 可查到的已批复注册商，再办理备案。"
                    .into()
            } else {
                "建议客户将域名转入已批复的注册商；备案核查时可能要求转入。".into()
            }
        }
        Reason::SuffixNotForNature => suffix(ctx, finding),
        Reason::DisplayTakedown => "请客户在首页底部展示正确的备案号并链接至 \
            https://beian.miit.gov.cn ，整改后由工作人员确认。"
            .into(),
        Reason::FactsUnavailable | Reason::FactsStale => unknown(ctx, finding),
        Reason::BareIp => {
            "请核实该地址是否提供公开网站；此类网站同样须备案，建议改用已备案的域名。".into()
        }
        Reason::FilingVariantOnly => "请核实两个域名是否由注册局配给同一注册者、\
            备案是否意在覆盖两者；否则请为该域名办理备案。"
            .into(),
        Reason::FilingKindMismatch => {
            "请核实该域名的用途：仅作 App 后端的可按后端开通；用作网站的须办理网站备案。".into()
        }
        Reason::AccessLinkGrace => "请完成在本服务商的接入备案。".into(),
        Reason::EmptyShellRisk => "请客户尽快在实际提供服务的接入商办理接入备案。".into(),
        Reason::CommercialLicenceExpiring => {
            "请许可证持有者申请续期，并将续期后的许可证录入登记库。".into()
        }
        Reason::DisplayBusinessLicence => "请客户在首页公示营业执照信息。".into(),
        Reason::RegistrantRoleNarrowed => match details::narrowed(ctx, finding) {
            Some(roles) => format!(
                "建议客户将域名注册者变更为{}。",
                names::accepted(roles, LANGUAGE)
            )
            .into(),
            None => "建议客户将域名注册者变更为本单位。".into(),
        },
        Reason::CertificateFormOld => "请域名注册者在注册商处以现行证件重新完成实名认证。".into(),
        Reason::SubjectNameChanged => "请客户办理变更备案，使备案显示现用名称。".into(),
        Reason::ProvinceMismatch => {
            "请客户核对住所地；迁移后须将备案转到新省份的通信管理局。".into()
        }
        Reason::DisplayMissing
        | Reason::DisplayWrongNumber
        | Reason::DisplaySubjectForm
        | Reason::DisplayNotLinked => match details::number_to_show(ctx) {
            Some(number) => {
                format!("请客户在首页底部展示 {number} 并链接至 https://beian.miit.gov.cn 。")
                    .into()
            }
            None => "请客户在首页底部展示备案号并链接至 https://beian.miit.gov.cn 。".into(),
        },
        Reason::PublicSecurityFilingDue => {
            "请客户在 https://beian.mps.gov.cn 办理公安联网备案。".into()
        }
    }
}

fn invalid(ctx: &Explained<'_>, finding: &Finding) -> Text {
    match (details::host(ctx, finding), details::part(finding)) {
        (
            Some(Err(HostError::NotBare {
                host: Some(host), ..
            })),
            _,
        ) => format!("请以 `{host}` 重新查询。").into(),
        (Some(Ok(Host::Ip(_))), FactSet::Name) => match ctx.request.profile.product {
            Product::Hosting | Product::ReverseProxy => {
                "请以已备案的域名或网站的公网地址重新查询。".into()
            }
            Product::Cdn | Product::AppBackend | Product::MiniProgramBackend | Product::DnsOnly => {
                "请以域名重新查询。".into()
            }
        },
        (_, FactSet::Name | FactSet::Applicant) => "请与客户更正域名后重新查询。".into(),
        (_, FactSet::Origin) => "请与客户更正源站后重新查询。".into(),
        (_, FactSet::HostHeader) => "请与客户更正回源 Host 后重新查询。".into(),
    }
}

fn not_found(ctx: &Explained<'_>) -> Text {
    match ctx.request.profile.purpose {
        Purpose::Recheck => {
            let wait = details::span(ctx.policy.retry.recheck_confirmation, LANGUAGE);
            format!(
                "请勿立即停止服务：{wait}后再次查询，确认备案仍然缺失方可下线。\
                 请客户办理备案，或改为不含中国内地的服务区域（OUTSIDE_MAINLAND），该区域无需备案。"
            )
            .into()
        }
        Purpose::Order | Purpose::Activation | Purpose::PreFiling => {
            "请客户通过接入商办理备案；数小时内刚通过的备案显示有延迟，请稍后重试。\
             不含中国内地的服务区域（OUTSIDE_MAINLAND）无需备案。"
                .into()
        }
    }
}

fn mismatch(ctx: &Explained<'_>, finding: &Finding) -> Text {
    if finding.rule == RuleId::R29 {
        return "请将域名过户给备案人，或由域名注册者备案；过户后须先注销原有备案。".into();
    }
    let narrowed = details::narrowed(ctx, finding).filter(|_| finding.rule == RuleId::R30);
    let roles = narrowed.unwrap_or(&ctx.policy.accepted_roles);
    format!(
        "请将域名过户，或由域名注册者备案。可接受的域名注册者：{}。",
        names::accepted(roles, LANGUAGE)
    )
    .into()
}

fn suffix(ctx: &Explained<'_>, finding: &Finding) -> Text {
    let suffixes = details::nature(ctx, finding)
        .map(|nature| details::suffixes_for(ctx, nature).join("、"))
        .filter(|suffixes| !suffixes.is_empty())
        .map_or(String::new(), |suffixes| format!("（{suffixes}）"));
    if ctx.pre_filing() {
        format!("请改用适用于申请单位的后缀{suffixes}下的域名备案。").into()
    } else {
        format!("请告知客户：现有备案仍然有效，建议改用适用的后缀{suffixes}。").into()
    }
}

fn unknown(ctx: &Explained<'_>, finding: &Finding) -> Text {
    if ctx.request.profile.purpose == Purpose::Recheck {
        return "请保持域名的服务，在 `retry_after` 之后重新查询。".into();
    }
    match details::to_bring_in(finding) {
        Some(kind) => format!(
            "请保留订单，在 `retry_after` 之后重新查询，并由运维人员重新同步“{}”；这不是拒绝。",
            names::records(kind, LANGUAGE)
        )
        .into(),
        None => "请保留订单，在 `retry_after` 之后重新查询；这不是拒绝。".into(),
    }
}
