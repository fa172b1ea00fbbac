//! What each reason means, whatever the case.

use super::Language;
use crate::codes::Reason;

/// What a reason means; one sentence.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one arm for each reason")]
pub const fn reason_meaning(reason: Reason, language: Language) -> &'static str {
    let (english, chinese) = match reason {
        Reason::DomainBlacklisted => (
            "The domain, or a name above it, is on a block list of the authority or of the provider.",
            "域名或其上级域名在主管部门或服务商的黑名单中。",
        ),
        Reason::SubjectBlacklisted => (
            "Whoever files is on a block list of the authority or of the provider.",
            "备案主体在主管部门或服务商的黑名单中。",
        ),
        Reason::DomainInvalid => (
            "What was given is not a host name for which this product can be provisioned.",
            "填写的内容不是可开通该产品的域名。",
        ),
        Reason::CustomerNotVerified => (
            "The customer's real name is not verified.",
            "客户未完成实名认证。",
        ),
        Reason::DomainControlNotProven => (
            "The customer has not proven control of the domain.",
            "客户未证明域名归属权。",
        ),
        Reason::FilingAccessRestricted => (
            "The authority restricts access to the filed service.",
            "备案被主管部门限制接入。",
        ),
        Reason::FilingNotFound => (
            "No website filing covers the name.",
            "没有覆盖该域名的网站备案。",
        ),
        Reason::FilingCancelled => (
            "The filing, or its whole subject, has been cancelled.",
            "备案或其主体已注销。",
        ),
        Reason::FilingSuspended => (
            "The filing, or its whole subject, is suspended.",
            "备案或其主体已被暂停。",
        ),
        Reason::FilingInProgress => (
            "A first filing or a new site is under review and has no number yet.",
            "首次备案或新增服务正在审核，尚无备案号。",
        ),
        Reason::FiledByAnotherSubject => (
            "Before filing: somebody other than the applicant has filed the domain.",
            "备案前核对：域名已由申请人以外的主体备案。",
        ),
        Reason::AppNotFiled => (
            "No app filing lists the domain.",
            "域名未列入任何 App 备案。",
        ),
        Reason::MiniProgramNotFiled => (
            "No mini-program filing covers the domain.",
            "没有覆盖该域名的小程序备案。",
        ),
        Reason::AccessNotLinked => (
            "The domain is filed, but not linked with this provider.",
            "域名已备案，但未接入本服务商。",
        ),
        Reason::OriginNotFiled => (
            "The origin of content delivery is not covered by a filing in force.",
            "加速源站域名没有有效备案。",
        ),
        Reason::HostHeaderNotFiled => (
            "The host header of content delivery is not covered by a filing in force.",
            "回源 Host 域名没有有效备案。",
        ),
        Reason::RegistrantMismatch => (
            "The registrant of the domain is none of those whom the rule accepts.",
            "域名注册者不属于可接受的注册者。",
        ),
        Reason::RealNameUnverified => (
            "The registry reports the registrant's real name as unverified.",
            "注册局显示域名未完成实名认证。",
        ),
        Reason::DomainExpired => (
            "The registration of the domain has ended.",
            "域名注册已到期。",
        ),
        Reason::DomainNotActive => (
            "The domain is on hold, inactive or being deleted.",
            "域名被暂停解析、未激活或正在删除。",
        ),
        Reason::CommercialByIndividual => (
            "The site takes payments and its filing subject is a natural person.",
            "网站有支付功能，而备案主体为个人。",
        ),
        Reason::CommercialByRepresentativeOffice => (
            "The site takes payments and its filing subject is a representative office.",
            "网站有支付功能，而备案主体为代表机构。",
        ),
        Reason::CommercialLicenceRevoked => (
            "The telecom business licence is revoked.",
            "电信业务经营许可证已被吊销。",
        ),
        Reason::CommercialLicenceSuspended => (
            "The telecom business licence is suspended.",
            "电信业务经营许可证已被暂停。",
        ),
        Reason::CommercialLicenceExpired => (
            "The telecom business licence has ended; its last day counted.",
            "电信业务经营许可证已过期（到期日当天仍有效）。",
        ),
        Reason::CommercialLicenceHolderMismatch => (
            "The only licence is that of a declared parent company.",
            "仅申报的母公司持有许可证。",
        ),
        Reason::CommercialLicenceMissing => (
            "The site takes payments and its filing subject has no telecom business licence.",
            "网站有支付功能，而备案主体没有电信业务经营许可证。",
        ),
        Reason::CommercialLicenceKindMissing => (
            "The licence does not cover the business that the declared model needs.",
            "许可证不包含所声明经营模式需要的业务种类。",
        ),
        Reason::FilingNumberInvalid => (
            "The claimed number is not a well-formed filing or licence number.",
            "提交的号码不是格式正确的备案号或许可证号。",
        ),
        Reason::FilingNumberMismatch => (
            "The claimed number is of another subject, or of a service of another kind.",
            "提交的备案号属于其他主体或其他类型的服务。",
        ),
        Reason::SectorApprovalMissing => (
            "The approval that the sector needs is not on record.",
            "没有该行业所需前置审批的记录。",
        ),
        Reason::SectorApprovalExpired => (
            "The approval that the sector needs has ended.",
            "该行业所需的前置审批已过期。",
        ),
        Reason::ForumByIndividual => (
            "The site has a forum, and whoever files is a natural person.",
            "网站设有论坛，而备案主体为个人。",
        ),
        Reason::TldNotApproved => (
            "The top-level domain is not approved for new filings.",
            "该顶级域未获批复，不能新办备案。",
        ),
        Reason::RegistrarNotApproved => (
            "The registrar is not approved for new filings.",
            "该注册商未获批复，不能新办备案。",
        ),
        Reason::SuffixNotForNature => (
            "The suffix is not meant for a body of this nature.",
            "该后缀与单位性质不符。",
        ),
        Reason::DisplayTakedown => (
            "The site was taken down for its display, and nobody has confirmed the mend.",
            "网站因备案号展示问题被关闭，整改尚未确认。",
        ),
        Reason::FactsUnavailable => (
            "A fact that the rule needs could not be had.",
            "规则所需的信息无法取得。",
        ),
        Reason::FactsStale => (
            "The fact that is held is older than the question allows while the registry does not answer.",
            "登记库无响应，而现有信息超出本次查询允许的时限。",
        ),
        Reason::RealNameSyncing => (
            "The registrant's real name is verified but not yet in the authority's library.",
            "域名已实名认证，但尚未同步至主管部门。",
        ),
        Reason::BareIp => (
            "A site is to be served on a bare public IP address.",
            "网站仅以公网 IP 地址访问。",
        ),
        Reason::FilingVariantOnly => (
            "Only the simplified or traditional twin of the name is filed.",
            "仅该域名的简体或繁体形式已备案。",
        ),
        Reason::FilingKindMismatch => (
            "Only a filing of another kind names the domain.",
            "仅有其他类型的备案列有该域名。",
        ),
        Reason::RegistrantVariant => (
            "The registrant may be an accepted one, but only a person can tell.",
            "域名注册者可能符合要求，须人工判断。",
        ),
        Reason::RegistrantUnknown => (
            "The registrant is hidden or not reported.",
            "域名注册者信息被隐藏或缺失。",
        ),
        Reason::CommercialLicenceKindUnknown => (
            "There is a licence, but its businesses are not on record.",
            "有许可证，但其业务种类没有记录。",
        ),
        Reason::CommercialModelUnknown => (
            "The site takes payments and its business model is not declared.",
            "网站有支付功能，但未声明经营模式。",
        ),
        Reason::AccessLinkGrace => (
            "The access filing with this provider is under way and within its days of grace.",
            "接入备案办理中，处于宽限期内。",
        ),
        Reason::EmptyShellRisk => (
            "No access provider is left on the filing, so that it may be cancelled.",
            "备案已无接入商，存在被注销的风险。",
        ),
        Reason::FilingNumberForm => (
            "The claimed number is of the right subject, but not the number of the service.",
            "提交的号码属于同一主体，但不是该服务的备案号。",
        ),
        Reason::CommercialLicenceExpiring => (
            "The telecom business licence ends soon.",
            "电信业务经营许可证即将到期。",
        ),
        Reason::DisplayBusinessLicence => (
            "A self-operated shop shows its business licence.",
            "自营商城须公示营业执照。",
        ),
        Reason::RegistrantRoleNarrowed => (
            "The registrant is accepted nationwide, but not for new filings in the province.",
            "域名注册者符合全国规定，但所在省份新办备案要求更严。",
        ),
        Reason::CertificateFormOld => (
            "The registrant was matched through a superseded form of certificate.",
            "域名注册者以旧式证件匹配。",
        ),
        Reason::SubjectNameChanged => (
            "Filing subject and registrant have one certificate and two names.",
            "备案主体与域名注册者证件相同而名称不同。",
        ),
        Reason::ProvinceMismatch => (
            "The filing number and the credit code name different provinces.",
            "备案号与统一社会信用代码的省份不同。",
        ),
        Reason::DisplayMissing => (
            "The home page shows no filing number.",
            "首页未展示备案号。",
        ),
        Reason::DisplayWrongNumber => (
            "The home page shows another filing number.",
            "首页展示的备案号不符。",
        ),
        Reason::DisplaySubjectForm => (
            "The home page shows the subject number in place of the site's.",
            "首页展示的是主体备案号，而不是网站备案号。",
        ),
        Reason::DisplayNotLinked => (
            "The number on the home page does not link to the authority's site.",
            "首页备案号未链接至主管部门网站。",
        ),
        Reason::PublicSecurityFilingDue => (
            "The site is live and owes a filing with the public security organs.",
            "网站已开通，须办理公安联网备案。",
        ),
    };
    language.pick(english, chinese)
}
