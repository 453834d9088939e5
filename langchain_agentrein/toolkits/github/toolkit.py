"""GitHub as LangChain tools."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from github import Auth, Consts, Github

from langchain_agentrein.errors import ConfigError
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Ability, Toolkit
from langchain_agentrein.toolkits.github import (
    automerge,
    branches,
    collaborators,
    comments,
    dispatches,
    files,
    issue_labels,
    issues,
    labels,
    merging,
    milestones,
    pull_reads,
    pulls,
    reactions,
    reads,
    refs,
    release_deletion,
    releases,
    repositories,
    review_comments,
    reviewers,
    reviews,
    sub_issues,
    transfers,
)
from langchain_agentrein.toolkits.github.abilities import abilities
from langchain_agentrein.toolkits.github.hub import Hub

TOKEN = "GITHUB_TOKEN"
BASE_URL = "GITHUB_API_URL"


class GitHubToolkit(Toolkit):
    """Reading and reversible writing on GitHub, through the developer's own PyGithub client.

        GitHubToolkit(Github(auth=Auth.Token("..."))).get_tools()

    Args:
        client: The client. It is not changed; see `Hub` for what its twin does otherwise.
        markers: Put an invisible comment into what is created, by which a lost reply is settled.
        options: `include`, `exclude`, `read_only`: see `Toolkit`.
    """

    connector: ClassVar[str] = "github"
    operations: ClassVar[tuple[type[Operation], ...]] = (
        reads.GetRepo,
        reads.SearchIssues,
        reads.ListIssues,
        reads.GetIssue,
        reads.ListComments,
        reads.ListLabels,
        reads.ListMilestones,
        files.GetFile,
        branches.ListBranches,
        pulls.GetPull,
        pulls.ListPulls,
        pull_reads.ListFiles,
        pull_reads.ListReviews,
        pull_reads.ListReviewComments,
        releases.ListReleases,
        releases.GetRelease,
        issues.CreateIssue,
        issues.UpdateIssue,
        issues.LockIssue,
        issues.UnlockIssue,
        issues.DeleteIssue,
        comments.CreateComment,
        comments.UpdateComment,
        comments.DeleteComment,
        issue_labels.AddLabels,
        issue_labels.RemoveLabels,
        issue_labels.SetLabels,
        labels.CreateLabel,
        labels.UpdateLabel,
        labels.DeleteLabel,
        milestones.CreateMilestone,
        milestones.UpdateMilestone,
        milestones.DeleteMilestone,
        files.CreateFile,
        files.UpdateFile,
        files.DeleteFile,
        branches.CreateBranch,
        branches.DeleteBranch,
        refs.UpdateRef,
        pulls.CreatePull,
        pulls.UpdatePull,
        reviewers.RequestReviewers,
        reviews.CreateReview,
        review_comments.CreateReviewComment,
        review_comments.UpdateReviewComment,
        review_comments.DeleteReviewComment,
        merging.MergePull,
        automerge.EnableAutomerge,
        releases.CreateRelease,
        releases.UpdateRelease,
        release_deletion.DeleteRelease,
        sub_issues.AddSubIssue,
        sub_issues.RemoveSubIssue,
        transfers.TransferIssue,
        reactions.CreateReaction,
        collaborators.AddCollaborator,
        collaborators.RemoveCollaborator,
        repositories.CreateRepo,
        repositories.UpdateRepo,
        repositories.DeleteRepo,
        dispatches.DispatchWorkflow,
        dispatches.DispatchRepository,
    )

    def __init__(self, client: Github | Hub, *, markers: bool = True, **options: Any) -> None:
        hub = client if isinstance(client, Hub) else Hub(client, markers=markers)
        super().__init__(client=hub, **options)

    def abilities(self, place: str | None = None) -> Sequence[Ability]:
        """See `Toolkit.abilities`; `place` is a repository, as owner/name."""
        return abilities(self.client, self.operations, place)

    @classmethod
    def from_env(cls) -> Self:
        """The toolkit for the token in `GITHUB_TOKEN`; `GITHUB_API_URL` names another host's API.

        Raises:
            ConfigError: There is no token.
        """
        token = os.environ.get(TOKEN)
        if not token:
            raise ConfigError(f"set {TOKEN} to a token, or pass a client to {cls.__name__}(...)")
        where = os.environ.get(BASE_URL) or Consts.DEFAULT_BASE_URL
        return cls(Github(auth=Auth.Token(token), base_url=where))
